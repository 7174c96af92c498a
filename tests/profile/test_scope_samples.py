"""What was sampled under each scope: how often, how sure that is, and what was on top."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, scope_samples
from workbench.profile._sample_counts import SampleCounts, wilson
from workbench.profile._scope_samples import native_name

MS = 1_000_000
FIT, EPOCH = (Frame(name, kind=FrameKind.SCOPE) for name in ("fit", "epoch"))
MAIN, STEP = Frame("main", "/home/me/fit.py"), Frame("step", "/home/me/fit.py")
BLAS = "/usr/lib/libscipy_openblas64_-32a4b2a6.so"
TANH = Frame("DOUBLE_tanh_X86_V4", "/np/_multiarray_umath.so", kind=FrameKind.NATIVE)
WAIT = Frame("select", "/usr/lib/libc.so.6", kind=FrameKind.IDLE)


def native(name: str, file: str = BLAS) -> Frame:
    return Frame(name, file, kind=FrameKind.NATIVE)


def sampled(*threads: list[list[Frame]], weights: list[int] | None = None, start: int = 0) -> Profile:
    """Return a profile with a track for each thread, its samples 10 ms apart, or as far as the weights say."""
    builder = ProfileBuilder("made")
    for i, paths in enumerate(threads):
        weight = weights or [10 * MS] * len(paths)
        at = np.concatenate([[0], np.cumsum(weight)[:-1]]) + start
        samples = builder.samples([builder.stack_of(path) for path in paths], at.tolist(), weight)
        builder.add_track(f"t{i}", pid=1, tid=i, samples=samples)
    return builder.build()


def test_all_that_is_below_a_scope_counts() -> None:
    """Samples count under each scope around them, once where it is inside itself, and not where nothing was seen."""
    found = scope_samples(
        sampled([[MAIN], [MAIN, FIT], [FIT, MAIN, EPOCH, STEP, TANH], [FIT, STEP, FIT, EPOCH, FIT], []])
    )
    assert {name: each.of_all.samples for name, each in found.items()} == {"fit": 3, "epoch": 2}
    assert found["fit"].of_all.share == 3 / 4
    assert list(found) == ["fit", "epoch"]


@pytest.mark.parametrize("by_time", [False, True])
def test_parts_by_mask_and_by_number(*, by_time: bool) -> None:
    """Some stacks are the same part of all, given as a mask or by their numbers; none are none."""
    profile = sampled([[MAIN], [MAIN, FIT], [FIT, MAIN], [MAIN]], weights=[1, 20, 300, 4000])
    samples = SampleCounts.of(profile, by_time=by_time)
    assert samples.whole == (4321 if by_time else 4)
    for rows in ([], [0], [1, 3], [0, 1, 2, 3]):
        mask = np.isin(np.arange(len(profile.stacks)), rows)
        part = samples.part(np.array(rows, dtype=np.int64))
        assert part == samples.part(mask)
        assert part.samples == samples.count[mask].sum()
        assert part.share == pytest.approx(samples.amount[mask].sum() / samples.whole)


def test_what_was_on_top() -> None:
    """Native functions, Python and waiting share all samples of a scope; a scope on top is Python's."""
    paths = (
        [[FIT, MAIN, TANH]] * 5 + [[FIT, MAIN]] * 2 + [[FIT]] + [[FIT, MAIN, WAIT]] * 2 + [[MAIN, TANH]] * 9
    )
    fit = scope_samples(sampled(paths))["fit"]
    assert [(part.name, part.samples, part.share) for part in fit.native] == [("tanh", 5, 0.5)]
    assert (fit.python, fit.waiting) == (pytest.approx(0.3), pytest.approx(0.2))


def test_parts_of_one_routine_are_one() -> None:
    """Kernels of one routine are summed under its name, with their symbols, the most frequent first."""
    kernels = [
        native("dgemm_beta_ZEN"),
        *[native("dgemm_kernel_ZEN")] * 3,
        native("[libc.so.6]", "/lib/libc.so.6"),
    ]
    (first, second) = scope_samples(sampled([[FIT, each] for each in kernels]))["fit"].native
    assert (first.name, first.samples, first.symbols) == ("dgemm", 4, ("dgemm_kernel_ZEN", "dgemm_beta_ZEN"))
    assert (second.name, second.share) == ("[libc]", 0.2)


NAMES = {
    ("DOUBLE_tanh_X86_V4", "/np/_multiarray_umath.cpython-311-x86_64-linux-gnu.so"): "tanh",
    ("CDOUBLE_multiply_AVX512F", "/np/umath.so"): "multiply",
    ("FLOAT_exp_AVX512_SKX", "/np/umath.so"): "exp",
    ("dgemm_small_kernel_b0_nn_SKYLAKEX", BLAS): "dgemm",
    ("dtrsm_kernel_RN_SKYLAKEX", BLAS): "dtrsm",
    ("dgemm_kernel", "/home/me/mine.so"): "dgemm_kernel",
    ("cython_blas_dsyrk", BLAS): "cython_blas_dsyrk",
    ("dot_compute", BLAS): "dot_compute",
    ("get_array_function.isra.0", "/np/umath.so"): "get_array_function",
    ("f.part.0.constprop.2", "/np/umath.so"): "f",
    ("[libscipy_openblas64_-32a4b2a6.so]", BLAS): "[libscipy_openblas64_]",
    ("[_umath.cpython-311-x86_64-linux-gnu.so]", "/np/_umath.so"): "[_umath]",
    ("[libffi.so.8.1.2]", "/usr/lib/libffi.so.8.1.2"): "[libffi]",
    ("[?]", "?"): "[?]",
    ("[.so]", ""): "[.so]",
    ("_ZEN", BLAS): "_ZEN",
    ("", ""): "",
    ("malloc", "/usr/lib/libc.so.6"): "malloc",
}


@pytest.mark.parametrize("symbol", NAMES)
def test_short_names(symbol: tuple[str, str]) -> None:
    """A name says what is done, not for which processor; what is nobody's convention stays as it is."""
    assert native_name(native(*symbol)) == NAMES[symbol]


@pytest.mark.parametrize(
    ("share", "samples", "low", "high"),
    [(0.5, 10, 0.2366, 0.7634), (0, 10, 0, 0.2775), (1, 10, 0.7225, 1), (0.1, 1000, 0.0829, 0.1202)],
)
def test_wilsons_interval(share: float, samples: int, low: float, high: float) -> None:
    """The interval is that of the literature (Wilson 1927; Brown, Cai and DasGupta 2001)."""
    assert wilson(share, samples) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.41, 0.5, 0.9])
def test_the_interval_holds(share: float) -> None:
    """Over all that 300 independent samples can show, the interval has the true share in it in about 95 %."""
    samples = 300
    covered = 0.0
    for k in range(samples + 1):
        low, high = wilson(k / samples, samples)
        chance = math.lgamma(samples + 1) - math.lgamma(k + 1) - math.lgamma(samples - k + 1)
        chance += k * math.log(share) + (samples - k) * math.log1p(-share)
        covered += math.exp(chance) * (low <= share <= high)
    assert 0.93 < covered < 0.98


def test_threads_of_one_look_count_once() -> None:
    """Four threads that are seen at the same samples are worth no more than one; one behind the other they are."""
    one = sampled([[FIT], [MAIN]] * 50)
    four = sampled(*[[[FIT], [MAIN]] * 50] * 4)
    assert SampleCounts.of(one).effective == pytest.approx(100)
    assert SampleCounts.of(four).effective == pytest.approx(100)
    assert scope_samples(four)["fit"].of_all.samples == 200
    assert scope_samples(four)["fit"].of_all.low == scope_samples(one)["fit"].of_all.low
    builder = ProfileBuilder("one after the other")
    stack = builder.stack_of([FIT])
    for i in range(4):
        at = [(100 * i + k) * 10 * MS for k in range(100)]
        builder.add_track(f"t{i}", pid=1, tid=i, samples=builder.samples([stack] * 100, at, [10 * MS] * 100))
    assert SampleCounts.of(builder.build()).effective == pytest.approx(400)


def test_shares_of_time() -> None:
    """By time a long sample counts for what it stands for, and few long ones are worth fewer samples."""
    profile = sampled([[FIT, TANH]] + [[MAIN]] * 50, weights=[500 * MS] + [10 * MS] * 50)
    assert scope_samples(profile)["fit"].of_all.share == pytest.approx(1 / 51)
    by_time = scope_samples(profile, by_time=True)["fit"]
    assert by_time.of_all.share == pytest.approx(0.5)
    assert by_time.native[0].share == 1
    assert by_time.of_all.samples == 1
    assert SampleCounts.of(profile, by_time=True).effective == pytest.approx(1 / (0.5**2 + 50 * 0.01**2))


@pytest.mark.parametrize("by_time", [False, True])
def test_nothing_was_seen(*, by_time: bool) -> None:
    """No samples, samples of nothing and samples of no time have no shares, and break nothing."""
    assert scope_samples(ProfileBuilder("x").build(), by_time=by_time) == {}
    assert scope_samples(sampled([[], []]), by_time=by_time) == {}
    timeless = scope_samples(sampled([[FIT], [MAIN]], weights=[0, 0]), by_time=by_time)
    assert timeless["fit"].of_all.samples == 1
    assert 0 <= timeless["fit"].of_all.low <= timeless["fit"].of_all.high <= 1
