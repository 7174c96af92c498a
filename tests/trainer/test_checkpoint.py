"""Checkpoints: a fit that was stopped, however, resumes to the same bits; no other file is taken for one."""

import contextlib
import gc
import itertools
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.trainer import fits_to_kill
from tests.trainer.fits_to_kill import EPOCHS, FITS, begin_or_resume, bits, network, rows, whole_fit
from workbench.errors import InvalidInputError
from workbench.trainer import LevenbergMarquardt, Sequential, StopReason, checkpoint
from workbench.trainer.steps.levenberg_marquardt import LevenbergMarquardtRun
from workbench.trainer.steps.normal import NormalSystem


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


def stop_after(epoch, how=KeyboardInterrupt):
    """Return a callback that stops the fit after that many epochs."""

    def callback(progress):
        if progress.epoch == epoch:
            raise how

    return callback


def stopped_fit(path, epoch=4, name="nielsen", **more):
    return whole_fit(name, callback=stop_after(epoch), checkpoint=path, **more)[1]


@pytest.mark.proof
def test_killed_at_any_moment(tmp_path):
    """A process that is killed again and again ends with the bits of fits that nothing stopped.

    Every optimiser, damping rule and scaling is among them; the kill comes wherever it comes, also while a
    checkpoint is written. Nothing is left in the folder but the checkpoints.
    """
    rng = np.random.default_rng(1)
    kills = 0
    for attempt in itertools.count():
        with subprocess.Popen(
            [sys.executable, fits_to_kill.__file__, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            enough = int(rng.integers(8, 25)) if attempt < 5 else 10_000
            process.stdin.write("." * (enough + 3))  # no further, however late the kill comes
            process.stdin.flush()
            seen = sum(1 for _ in itertools.islice(process.stdout, enough))
            time.sleep(rng.uniform(0.0, 0.004))
            process.kill()
        if seen < enough:
            assert process.returncode == 0
            break
        kills += 1
    assert kills >= 4
    for name in FITS:
        assert bits(*begin_or_resume(name, tmp_path / f"{name}.npz")) == bits(*whole_fit(name)), name
    assert sorted(entry.stem for entry in tmp_path.iterdir()) == sorted(FITS)


@contextlib.contextmanager
def interrupted():
    """Take a KeyboardInterrupt, and what the standard library makes of one.

    That is a SystemError within `ast.parse`, by which NumPy reads a header, and a RuntimeError where a thread is
    waited for.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemError):
        pass
    except RuntimeError as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise


@pytest.mark.parametrize("name", ["nielsen", "adam"])
def test_interrupted_anywhere(path, name):
    """Ctrl-C that falls on any instruction, also of reading and writing, leaves a fit to resume."""
    rng = np.random.default_rng(2)
    interrupts = 0
    inside = False

    def interrupt(number, frame):
        nonlocal interrupts
        if inside:
            interrupts += 1
            raise KeyboardInterrupt

    took = np.inf
    for _ in range(3):  # a moment at which the machine was busy is no measure
        began = time.perf_counter()
        expected = bits(*whole_fit(name))
        took = min(took, time.perf_counter() - began)
    # What is raised in a callback of the garbage collector, such as Hypothesis has, is printed and forgotten.
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for attempt in range(40):
            with interrupted():
                inside = True
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.02, 0.3) * took if attempt < 39 else 0.0)
                begin_or_resume(name, path)
                inside = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        gc.callbacks[:] = callbacks
    assert interrupts >= 10
    assert bits(*begin_or_resume(name, path)) == expected


@pytest.mark.parametrize("solves", range(1, 16, 2))
def test_ctrl_c_in_the_middle_of_a_step(path, monkeypatch, solves):
    """What is kept is the last completed epoch, although the damping has risen since in rejected trials."""
    solve, calls = NormalSystem.solve, itertools.count(1)

    def interrupted(*arguments):
        if next(calls) == solves:
            raise KeyboardInterrupt
        return solve(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(NormalSystem, "solve", interrupted)
        history = whole_fit("patience", checkpoint=path)[1]
    assert history.stop_reason is StopReason.INTERRUPTED
    kept = checkpoint.read(path)
    assert (kept.snapshot.epoch, kept.snapshot.stop) == (history.epochs, None)
    assert bits(*begin_or_resume("patience", path)) == bits(*whole_fit("patience"))


def test_a_stop_that_was_reached_stands(path, monkeypatch):
    """Ctrl-C after the epoch that ends the fit, and before it is over, does not hide why it ended."""
    target = whole_fit("nielsen")[1].train_mse[4] * 1.0000001
    _, history = whole_fit("nielsen", target_mse=target, callback=stop_after(5), checkpoint=path)
    assert (history.stop_reason, history.epochs) == (StopReason.TARGET_REACHED, 5)


@pytest.mark.parametrize("name", ["nielsen", "bayesian", "patience", "sgd"])
def test_more_epochs(path, name):
    """A fit whose epochs were used up resumes with more, as if it had begun with so many."""
    first = whole_fit(name, epochs=5, checkpoint=path)
    assert bits(*Sequential.resume(path, *rows())) == bits(*first)
    longer = Sequential.resume(path, *rows(), epochs=EPOCHS + 5)
    assert bits(*longer) == bits(*whole_fit(name, epochs=EPOCHS + 5))
    assert checkpoint.read(path).fit.limits.epochs == EPOCHS + 5


def test_what_is_finished_is_returned_at_once(path, monkeypatch):
    """A fit that reached its target is returned for any number of epochs: no step is done."""
    done = whole_fit("nielsen", target_mse=0.2, checkpoint=path)
    assert done[1].stop_reason is StopReason.TARGET_REACHED
    monkeypatch.setattr(LevenbergMarquardtRun, "step", lambda run: pytest.fail("a step was done"))
    again = Sequential.resume(path, *rows(), epochs=500)
    assert bits(*again) == bits(*done)
    assert again[1].seconds == done[1].seconds


def test_without_a_first_epoch(path):
    """A fit that is interrupted in its first epoch has a checkpoint too, and one that has nothing to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LevenbergMarquardtRun, "step", lambda run: (_ for _ in ()).throw(KeyboardInterrupt))
        assert whole_fit("nielsen", checkpoint=path)[1].epochs == 0
    assert bits(*begin_or_resume("nielsen", path)) == bits(*whole_fit("nielsen"))
    done = whole_fit("nielsen", target_mse=1e9, checkpoint=path)
    assert bits(*Sequential.resume(path, *rows())) == bits(*done)
    assert done[1].epochs == 0


@pytest.mark.parametrize("how", [RuntimeError, MemoryError, SystemExit])
def test_an_accident_keeps_the_last_epoch(path, how):
    """Whatever ends a fit, the checkpoint has the last completed epoch, though none was due."""
    with pytest.raises(how):
        whole_fit("nielsen", callback=stop_after(4, how), checkpoint=path, checkpoint_seconds=1e9)
    assert checkpoint.read(path).snapshot.epoch == 4
    assert bits(*begin_or_resume("nielsen", path)) == bits(*whole_fit("nielsen"))


def test_one_at_most_every_so_many_seconds(path, monkeypatch):
    """Checkpoints come when the fit begins and ends, and in between as seldom as was asked for."""
    written = []
    write = checkpoint.write
    monkeypatch.setattr(
        checkpoint,
        "write",
        lambda path, given: (written.append((given.snapshot.epoch, given.elapsed)), write(path, given)),
    )
    now = 0.0
    tick = stop_after(0)

    def second_passes(progress):
        nonlocal now
        now += 1.0
        tick(progress)

    whole_fit("nielsen", checkpoint=path, checkpoint_seconds=5.0, clock=lambda: now, callback=second_passes)
    assert written == [(0, 0.0), (5, 5.0), (10, 10.0), (12, 12.0)]
    written.clear()
    now = 1000.0
    tick = stop_after(17)
    options = {"checkpoint_seconds": 3.0, "clock": lambda: now, "callback": second_passes}
    Sequential.resume(path, *rows(), epochs=30, **options)
    assert written == [(15, 15.0), (17, 17.0)]


def test_other_rows_are_refused(path):
    """Rows that differ in a bit, in their order or in their shape are not those of the fit."""
    stopped_fit(path)
    x, y = rows()
    for wrong in [(x[::-1], y[::-1]), (x + 1e-15, y), (x[1:], y[1:]), (x, np.nextafter(y, 2.0))]:
        with pytest.raises(InvalidInputError, match=r"not the rows that .* was fitted to"):
            Sequential.resume(path, *wrong)
    with pytest.raises(InvalidInputError, match="x has 1 columns"):
        Sequential.resume(path, x[:, 0], y)
    as_lists = Sequential.resume(path, x.tolist(), np.asfortranarray(y[:, np.newaxis]))
    assert bits(*as_lists) == bits(*whole_fit("nielsen"))


def test_fewer_epochs_than_are_done(path):
    """A fit cannot be taken back."""
    stopped_fit(path)
    with pytest.raises(InvalidInputError, match=r"epochs is 3 and 4 are done in .*: give at least as many"):
        Sequential.resume(path, *rows(), epochs=3)
    assert Sequential.resume(path, *rows(), epochs=4)[1].stop_reason is StopReason.EPOCHS_USED_UP


def test_an_unfinished_fit_is_not_overwritten(path):
    """A new fit does not destroy what another may resume from, nor a file that is no checkpoint."""
    stopped_fit(path)
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match=r"not finished \(4 of 12 epochs\): resume it, or remove"):
        whole_fit("nielsen", checkpoint=path)
    assert path.read_bytes() == before
    Sequential.resume(path, *rows())
    whole_fit("sgd", checkpoint=path)
    assert len(checkpoint.read(path).records) == whole_fit("sgd")[1].epochs
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInputError, match="not a whole workbench checkpoint file"):
        whole_fit("nielsen", checkpoint=path)
    assert path.read_text() == "a,b\n1,2\n"


def test_where_no_checkpoint_can_be_written(tmp_path, path, monkeypatch):
    """A bad path is refused before the first epoch; a disk that fills up later costs no epoch, and is a warning."""
    monkeypatch.setattr(LevenbergMarquardtRun, "step", lambda run: pytest.fail("a step was done"))
    with pytest.raises(InvalidInputError, match=r"cannot write .*give a path in a directory that exists"):
        whole_fit("nielsen", checkpoint=tmp_path / "missing" / "fit.npz")
    with pytest.raises(InvalidInputError, match="checkpoint_seconds is nan"):
        whole_fit("nielsen", checkpoint=path, checkpoint_seconds=float("nan"))
    monkeypatch.undo()
    folder = tmp_path / "there"
    folder.mkdir()

    def remove(progress):
        if progress.epoch == 3:
            (folder / "fit.npz").unlink()
            folder.rmdir()

    with pytest.warns(UserWarning, match="the checkpoint is not up to date: cannot write"):
        done = whole_fit("nielsen", checkpoint=folder / "fit.npz", callback=remove, checkpoint_seconds=0.0)
    assert bits(*done) == bits(*whole_fit("nielsen"))


def test_the_file_tells_what_is_in_it(path):
    """Records, options, numbers and note come back as they were, whatever kinds of numbers were given."""
    optimizer = LevenbergMarquardt(damping=np.float64(0.1) / 3.0, chunk_rows=None, l2=np.float32(1e-3))
    history = stopped_fit(path, checkpoint_note="Größe", seed=np.int64(9), optimizer=optimizer)
    kept = checkpoint.read(path)
    assert kept.records == history.records
    assert {type(value) for value in vars(kept.records[0]).values()} == {int, float, type(None)}
    assert (kept.fit.optimizer, kept.fit.note, kept.fit.seed) == (optimizer, "Größe", 9)
    assert (kept.snapshot.epoch, kept.fit.limits.epochs) == (4, EPOCHS)
    assert kept.snapshot.initial_train_mse == history.initial_train_mse
    assert kept.elapsed >= sum(history.seconds)
    before = kept.elapsed
    Sequential.resume(path, *rows())
    assert checkpoint.read(path).elapsed > before


def refuses(path, match):
    with pytest.raises(InvalidInputError, match=match) as caught:
        Sequential.resume(path, *rows())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_foreign_and_newer_files(path, tmp_path):
    """A model, nothing, and a later version are refused by name; damaged files are, as models are."""
    network().save(path)
    refuses(path, "its format is 'workbench-model'")
    refuses(tmp_path / "none", "no checkpoint file .*: check the path, or begin a fit with checkpoint=PATH")
    path.unlink()
    stopped_fit(path)
    rewrite(path, version=3)
    refuses(path, "has checkpoint format 3, and this workbench reads up to 2: upgrade workbench to read it")


def rewrite(path, *, arrays=None, **changes):
    with np.load(path) as file:
        entries = dict(file)
    header = json.loads(str(entries["header"])) | changes
    np.savez(path, **entries | {"header": np.array(json.dumps(header))} | (arrays or {}))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"optimizer": {"name": "Lion", "options": {}}}, "Lion"),
        (
            {"optimizer": {"name": "SGD", "options": {"momentum": 0.5}}},
            "options of SGD are another version's",
        ),
        ({"record_fields": ["epoch"]}, "records are another version's"),
        ({"generator": {"bit_generator": "MT19937"}}, "checkpoint file"),
        ({"generator": []}, "checkpoint file"),
        ({"stop_reason": "bored"}, "bored"),
        ({"epoch": 5}, "records are float64, shape"),
        ({"limits": {}}, "checkpoint file"),
        ({"run": {}}, "damping"),
        ({"layers": [[3, "tanh"]]}, "parameters are float64, shape"),
        ({"arrays": {"parameters": np.full(49, np.nan)}}, "not finite"),
        ({"arrays": {"run_largest_curvature": np.zeros(3)}}, "run_largest_curvature are float64"),
        ({"arrays": {"records_missing": np.zeros(3, dtype=bool)}}, "records_missing"),
        ({"arrays": {"parameters": np.array([{}], dtype=object)}}, "checkpoint file"),
    ],
)
def test_inconsistent_entries(path, changes, match):
    """Entries that do not fit each other are refused in one line."""
    stopped_fit(path)
    rewrite(path, **changes)
    refuses(path, match)


def test_drafts_of_the_killed_are_swept_away(tmp_path, path):
    """What a killed process had half written is removed by the next fit; no living one's, and no other file."""
    stale = tmp_path / f".{path.name}.{2**22 + 5}-1.draft"  # above the largest process number
    alive = tmp_path / f".{path.name}.1-1.draft"
    other = tmp_path / f".other.npz.{2**22 + 5}-1.draft"
    for draft in (stale, alive, other):
        draft.write_bytes(b"PK\x03\x04half")
    foreign = tmp_path / f".{path.name}.{2**22 + 5}-2.draft"
    foreign.write_bytes(b"somebody else's")
    stopped_fit(path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign, other, path])


def test_a_fit_on_from_fitted_weights(path):
    """The checkpoint has the weights that the fit began with, also where they are another fit's."""
    models = [network(), network()]
    for model in models:
        model.fit(*rows(), epochs=3)
    whole = models[0], models[0].fit(*rows(), epochs=6)
    models[1].fit(*rows(), epochs=6, checkpoint=path, callback=stop_after(2))
    assert bits(*Sequential.resume(path, *rows())) == bits(*whole)


def test_the_state_is_written_to_by_nobody(path):
    """A snapshot does not change while the fit continues."""
    seen = []
    write = checkpoint.write

    def copy(path, given):
        arrays = [given.snapshot.parameters, given.snapshot.best.parameters]
        arrays += [
            value for value in vars(given.snapshot.run_state).values() if isinstance(value, np.ndarray)
        ]
        seen.extend((array, array.copy()) for array in arrays)
        write(path, given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "write", copy)
        for name in ("more", "adam", "sgd"):
            whole_fit(name, checkpoint=path, checkpoint_seconds=0.0)
    assert len(seen) > 60
    assert all(array.tobytes() == before.tobytes() for array, before in seen)


def test_limits_are_those_of_the_file(path):
    """A fit that is resumed stops for the reasons that it was begun with."""
    target = whole_fit("nielsen")[1].train_mse[8] * 1.0000001
    stopped_fit(path, target_mse=target)
    kept = checkpoint.read(path)
    assert kept.fit.limits == replace(kept.fit.limits, target_mse=target, patience=None)
    assert Sequential.resume(path, *rows())[1].stop_reason is StopReason.TARGET_REACHED
