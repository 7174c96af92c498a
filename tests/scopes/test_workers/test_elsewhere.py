"""Workers that cannot reach the recording's folder: private local folders, and `gather`."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path

import pytest

from workbench import RecordingError, record, scope
from workbench.cluster import Parcel, collect, gather
from workbench.eventlog import read_recording
from workbench.profile import scope_totals
from workbench.scopes import local_folder
from workbench.scopes.manifests import RecordingLimits

IDENTITY = "0123456789abcdef"

PROGRAM = """
import os, pathlib, sys
from workbench import carry, record, scope
from workbench.cluster import gather
from workbench.scopes.local_folder import local_folder

def work(i):
    with scope("item"):
        return os.environ.get("WORKBENCH_RECORD")

def plain(i):
    return os.environ.get("WORKBENCH_RECORD")

def identity(folder):
    import json
    return json.loads(pathlib.Path(folder, "recording.json").read_text())["id"]

if __name__ == "__main__":
    {engine}
    with record("r") as recording:
        with scope("first"):
            pass  # the sender's own files are there before they are out of sight
        with scope("fit"):
            os.rename("r", "hidden")  # what other hosts see: no such folder
            for _ in range(2):
                with scope("round"):
                    folders = run(carry(work), 8)
            os.rename("hidden", "r")
        assert set(folders) == {{local_folder(identity("r"))}}, folders
    assert run(plain, 2) == [None, None]
    files = gather(bring, recording)
    assert len(files) >= 2 and all(file.parent == pathlib.Path("r").resolve() for file in files), files
    assert gather(bring, "r") == []
    assert not os.path.exists(local_folder(identity("r")))
"""

DASK = """
    from dask.distributed import Client
    client = bring = Client(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")
    def run(function, n):
        return client.gather([client.submit(function, i, pure=False) for i in range(n)])
"""

LOKY = """
    import joblib
    parallel = joblib.Parallel(n_jobs=2, batch_size=1)
    def run(function, n):
        return parallel(joblib.delayed(function)(i) for i in range(n))
    def bring(function):
        return parallel(joblib.delayed(function)() for _ in range(4))
    run(abs, 4)
"""


@pytest.mark.parametrize(("engine", "recorder"), [("dask", "native"), ("loky", "python")])
def test_gather_brings_the_logs(run, quiet_dask, tmp_path, engine, recorder):
    """Workers without the folder write local logs; `gather` copies each once and leaves nothing."""
    if engine == "dask" and os.environ.get("CI") != "true":
        pytest.importorskip("distributed")
    body = PROGRAM.format(engine=(DASK if engine == "dask" else LOKY).strip())
    done = run(body, WORKBENCH_RECORDER=recorder, TMPDIR=str(tmp_path), **quiet_dask)
    assert (done.returncode, done.stderr) == (0, "")
    profile = read_recording(tmp_path / "r").check()
    assert {name: total.calls for name, total in scope_totals(profile).items()} == {
        "first": 1,
        "fit": 1,
        "round": 2,
        "item": 16,
    }
    paths = {
        "/".join(profile.frames[frame].name for frame in profile.stacks.path(stack))
        for track in profile.tracks
        if track.spans is not None
        for stack in track.spans.stack.tolist()
    }
    assert paths == {"first", "fit", "fit/round", "fit/round/item"}


def test_a_folder_that_others_could_have_made_is_refused(run, tmp_path):
    """Where the place for local logs is open to others, the work runs, nothing is written, and one line says why."""
    (tmp_path / f"workbench-{os.getuid()}").mkdir(mode=0o755)
    done = run(
        """
        import os, multiprocessing
        from workbench import carry, record, scope
        def work(i):
            with scope("item"):
                return i
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                with record("r"), scope("fit"):
                    os.rename("r", "hidden")
                    assert pool.map(carry(work), range(4)) == [0, 1, 2, 3]
                    os.rename("hidden", "r")
                pool.close()
                pool.join()
        """,
        TMPDIR=str(tmp_path),
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "not private" in line
    assert "TMPDIR" in line
    assert list((tmp_path / f"workbench-{os.getuid()}").iterdir()) == []


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_local_folders_are_private(place):
    """The folder and the one that holds it are this user's alone, whatever the umask; it can be made again."""
    before = os.umask(0)
    try:
        folder = Path(local_folder.make(IDENTITY, RecordingLimits()))
        assert local_folder.make(IDENTITY, RecordingLimits()) == str(folder)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]
    assert [path.name for path in folder.iterdir()] == ["recording.json"]


@pytest.mark.parametrize("trick", ["link", "file", "open", "inner open", "no sticky bit", "owner"])
def test_planted_folders_are_refused(place, monkeypatch, trick):
    """A link, a file, a folder that others may enter, or one of another user is not written to."""
    base = place / f"workbench-{os.getuid()}"
    if trick == "link":
        (place / "theirs").mkdir(mode=0o700)
        base.symlink_to(place / "theirs")
    elif trick == "file":
        base.write_text("")
    elif trick == "open":
        base.mkdir(mode=0o700)
        base.chmod(0o770)
    elif trick == "inner open":
        base.mkdir(mode=0o700)
        (base / IDENTITY).mkdir()
        (base / IDENTITY).chmod(0o755)
    elif trick == "no sticky bit":
        place.chmod(0o777)
    else:
        other = os.getuid() + 1
        (place / f"workbench-{other}").mkdir(mode=0o700)
        monkeypatch.setattr("os.getuid", lambda: other)
    with pytest.raises(RecordingError, match="TMPDIR"):
        local_folder.make(IDENTITY, RecordingLimits())


@pytest.mark.parametrize("identity", ["", "..", "../../etc", "0123/456", "A" * 16, "0" * 100])
def test_an_id_is_no_path(place, identity):
    """Only an id leads to a folder: nothing that comes from elsewhere can name another place."""
    with pytest.raises(RecordingError, match="no id"):
        local_folder.local_folder(identity)


def test_nothing_to_bring_is_nothing(place):
    """A host without logs of the recording answers with none, and so does its second process."""
    assert collect(IDENTITY, "0") == []
    folder = Path(local_folder.make(IDENTITY, RecordingLimits()))
    (folder / "1-a-t0000.wblog").write_bytes(b"log")
    (folder / "other").write_bytes(b"not brought")
    assert [parcel[0] for parcel in collect(IDENTITY, "1")] == ["1-a-t0000.wblog"]
    assert collect(IDENTITY, "1") == []
    assert len(collect(IDENTITY, "2")) == 1  # the first did not arrive


@pytest.fixture
def recording(tmp_path):
    with record(tmp_path / "recording"), scope("work"):
        pass
    return tmp_path / "recording"


def _parcel(name: str, content: bytes) -> Parcel:
    return Parcel(name, zlib.crc32(content), zlib.compress(content))


@pytest.mark.parametrize(
    "parcel",
    [
        _parcel("../1-a-t0000.wblog", b"x"),
        _parcel("/etc/passwd", b"x"),
        _parcel("recording.json", b"{}"),
        _parcel("1-a-t0000.wblog\n", b"x"),
        Parcel("1-a-t0000.wblog", 1, zlib.compress(b"x")),
        Parcel("1-a-t0000.wblog", 1, b"no zlib"),
    ],
)
def test_what_is_no_log_is_refused(recording, parcel):
    """Names that lead elsewhere, and content that did not arrive whole, are an error; no file is touched."""
    before = sorted(recording.iterdir())
    with pytest.raises(RecordingError, match="worker sent"):
        gather(lambda collect: [[parcel]], recording)
    assert sorted(recording.iterdir()) == before


def test_logs_of_the_same_name_are_both_kept(recording):
    """Two hosts may give a process the same number at the same time: neither log replaces the other."""
    name = "7-abc-t0000.wblog"
    for content in (b"a" * 5000, b"b" * 5000, b"a" * 4096 + b"more", b"b" * 5000):
        gather(lambda collect, content=content: [[_parcel(name, content)]], recording)
    brought = [path.read_bytes() for path in sorted(recording.glob("7-*"))]
    assert sorted(brought) == [b"a" * 4096 + b"more", b"b" * 5000]


def test_gather_says_what_it_takes(recording, tmp_path):
    """What is no recording, or no way to workers, is an error that says what to give."""
    with pytest.raises(RecordingError, match="holds no recording"):
        gather(lambda collect: [], tmp_path / "nothing")
    with pytest.raises(RecordingError, match="dask Client"):
        gather(5, recording)
