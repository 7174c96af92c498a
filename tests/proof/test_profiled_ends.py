"""Programs of very many processes and threads, and full disks: each run for real."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.ended import BUSY, Ends
from tests.helpers.profiled import Workbench
from workbench.capture.program import CaptureOptions, run_program

pytestmark = pytest.mark.proof

FORKS = """
def child():
    with scope("child"):
        busy(0.05)
    os._exit(0)

with scope("before"):
    busy(0.3)
for i in range(100):
    if os.fork() == 0:
        child()
    {each}
{behind}
with scope("behind"):
    busy(0.3)
"""
THREADS = """
import threading

def work():
    with scope("thread"):
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            sum(range(500))
        time.sleep(0.3)

with scope("all"):
    threads = [threading.Thread(target=work) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
LOKY = """
from joblib.externals.loky import get_reusable_executor

def job(i):
    with scope("job"):
        busy(0.4)
        if i == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return i

if __name__ == "__main__":
    with scope("parent"):
        executor = get_reusable_executor(max_workers=2)
        ends = []
        for future in [executor.submit(job, i) for i in range(4)]:
            try:
                future.result()
            except Exception as error:
                ends.append(type(error).__name__)
        print(*sorted(set(ends)))
        busy(0.3)
"""


@pytest.fixture
def ends(tmp_path):
    return Ends(Workbench(tmp_path))


@pytest.mark.parametrize("native", [True, False], ids=["native", "plain"])
@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
def test_a_hundred_children(ends, at_once: bool, native: bool) -> None:
    """All of a hundred forked children are recorded, those that were seen are sampled, and nothing stays behind."""
    wait = "os.wait()"
    text = FORKS.format(
        each="pass" if at_once else wait, behind=f"for _ in range(100): {wait}" if at_once else ""
    )
    done = ends.run(text, *(() if native else ("--no-native",)))
    assert done.returncode == 0, done.stderr
    assert [line for line in ends.complaints(done.stderr) if "behind" not in line] == []
    (children,) = (row for row in ends.place.summary["scope_totals"] if row["name"] == "child")
    assert children["calls"] == 100
    assert ends.sampled_s("before", "busy") > 0.1
    assert ends.sampled_s("behind", "busy") > 0.1
    if at_once:
        assert ends.sampled_s("child", "busy") > 0.1


def test_two_hundred_threads(ends) -> None:
    """Two hundred threads are recorded and sampled."""
    script = ends.place.write("p.py", BUSY + THREADS)
    options = CaptureOptions(program=(str(script),), folder=ends.place.folder / "out", environment=ends.mark)
    capture = run_program(options)
    assert capture.exit_code == 0, capture.warnings
    assert capture.scopes is not None
    assert capture.merged is not None
    assert len([track for track in capture.scopes.tracks if track.spans is not None]) == 201
    sampled = [track for track in capture.merged.tracks if track.samples is not None]
    assert len(sampled) > 150
    capture.merged.check()
    assert ends.left() == []


def test_a_killed_worker_of_a_pool(ends) -> None:
    """A pool that breaks because a worker was killed is profiled with what its workers did until then."""
    pytest.importorskip("joblib")
    done = ends.run(LOKY)
    assert (done.returncode, done.stdout) == (0, "TerminatedWorkerError\n"), done.stderr
    assert ends.complaints(done.stderr) == []
    assert ends.scope_s("job") >= 0.8
    assert ends.sampled_s("job", "busy") > 0.2
    assert ends.sampled_s("parent", "busy") > 0.1


def test_killed_workers_of_a_pool_keep_no_program_waiting(
    ends, record_property: Callable[[str, object], None]
) -> None:
    """Of sixty such programs all end; where py-spy kept a killed worker, it was ended for it, and one line says so."""
    pytest.importorskip("joblib")
    held = 0
    for _ in range(60):
        done = ends.run(LOKY, "--sampler", "py-spy", "--native")
        assert (done.returncode, done.stdout) == (0, "TerminatedWorkerError\n"), done.stderr
        told = [line for line in ends.complaints(done.stderr) if "behind" not in line]
        assert len(told) <= 1
        assert all("could not end while py-spy held it" in line for line in told)
        held += len(told)
    record_property("measured", f"60 ended; in {held} py-spy was ended for them")


@pytest.mark.parametrize("sampler", ["auto", "pyinstrument"])
def test_a_disk_that_the_program_fills(ends, sampler: str, tmp_path: Path) -> None:
    """A program that fills the disk gives its own code; what was recorded until then is there and can be read."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a file system is mounted as root")
    try:
        text = f"""
with scope("work"):
    busy(0.4)
with open({str(disk / "filling")!r}, "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
sys.exit(3)
"""
        ends.place.write("p.py", BUSY + text)
        command = ("-m", "workbench", "profile", "-o", str(disk / "out"), "--sampler", sampler, "p.py")
        done = ends.place.run(*command, env=ends.mark)
        assert done.returncode == 3
        lines = ends.complaints(done.stderr)
        assert lines
        assert all("No space left on device" in line for line in lines)
        (disk / "filling").unlink()
        again = ends.place.run(
            "-m", "workbench", "report", str(disk / "out" / "recording"), "-o", "page.html"
        )
        assert again.returncode == 0, again.stderr
        assert ends.left() == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_last_stack_lasts_to_the_end(ends) -> None:
    """Of a program that is one long call, what is sampled is its whole time, to 0.1 s."""
    script = ends.place.write("p.py", "def deep():\n    return sum(range(30_000_000))\ndeep()\n")
    capture = run_program(CaptureOptions(program=(str(script),), folder=ends.place.folder / "out"))
    assert capture.merged is not None, capture.warnings
    weights = [track.samples.weight_ns.sum() for track in capture.merged.tracks if track.samples is not None]
    assert abs(sum(map(int, weights)) / 1e9 - capture.program_seconds) < 0.1


def test_a_file_limit(ends) -> None:
    """A program whose files may not grow is profiled as far as they go, and runs to its own end."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert limits[1] == resource.RLIM_INFINITY or limits[1] > 1 << 20
    text = """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
with scope("work"):
    for _ in range(20_000):
        with scope("step"):
            pass
    busy(0.3)
sys.exit(4)
"""
    done = ends.run(text)
    assert done.returncode == 4
    assert len(ends.complaints(done.stderr)) <= 1
    assert ends.sampled_s("busy") > 0.1
