"""A worker joins the sender's recording while propagated work runs in it."""

from __future__ import annotations

from collections import Counter

from tests.scopes.test_workers.conftest import BOTH


def test_an_ended_recording_is_left_alone(program, tmp_path):
    """After the end a recording's files do not change, neither by plain nor by propagated work."""
    program(
        """
        import hashlib, pathlib
        run = engine("executor spawn")
        run(plain, 4)
        with record("a"), scope("fit"):
            late = carry(work)
            run(late, 4)
        before = content()
        run(plain, 20)
        run(late, 20)
        assert content() == before
        run.close()
        """,
        define="""
        def content():
            return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path("a").iterdir()}
        """,
    )


def test_a_deleted_recording_is_forgotten(program, tmp_path):
    """When the folder is gone, workers go on without a word, record nothing, and leave nothing elsewhere."""
    program(
        """
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.map(plain, range(1))
            with record("a"):
                with scope("fit"):
                    late = carry(work)
                    pool.map(late, range(8))
                shutil.rmtree("a")
                pool.map(late, range(8))
            pool.map(plain, range(8))
            pool.map(late, range(8))
        """
    )
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


def test_workers_that_inherited_an_ended_recording_leave_it(program, read, tmp_path):
    """A worker of a recording that ended, once it has run work of another one, is done with the first."""
    program(
        """
        with record("a"), scope("fit"):
            pool = multiprocessing.get_context("spawn").Pool(1)
            pool.map(carry(work), range(4))
        with record("b"), scope("fit"):
            pool.map(carry(work), range(4))
        assert pool.map(plain, range(1))[0][1] is None
        pool.close()
        pool.join()
        """
    )
    assert "plain" not in {row.path for row in read(tmp_path / "a")}


@BOTH
def test_two_recordings_in_one_worker_at_once(program, read, tmp_path):
    """Work of a second recording runs unrecorded while the first's runs in its process; one line on standard error."""
    out = program(
        """
        import pickle
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            with record("a"), scope("one"):
                first = pickle.dumps(carry(slow))
                with record("b"), scope("two"):
                    second = pickle.dumps(carry(work))
                    assert pool.map(both, [(first, second)]) == [None]
            pool.close()
            pool.join()
        print("ok")
        """,
        define="""
        begun, done = threading.Event(), threading.Event()
        def both(sent):
            first, second = map(pickle.loads, sent)
            thread = threading.Thread(target=first, args=(0,))
            thread.start()
            assert begun.wait(60)
            for i in range(3):
                second(i)
            done.set()
            thread.join()
            second(3)
            return os.environ.get("WORKBENCH_RECORD")
        def slow(i):
            with scope("slow"):
                begun.set()
                assert done.wait(60)
        """,
        err="workbench: not recording some of the work that [^\n]*/b sent to process [^\n]*/a runs there\n",
    )
    assert out.strip() == "ok"
    assert Counter(row.path for row in read(tmp_path / "a"))["one/slow"] == 1
    assert Counter(row.path for row in read(tmp_path / "b"))["two/item"] == 1


@BOTH
def test_a_fork_within_carried_work(program, read, tmp_path):
    """A child that is forked inside a propagated call has its own log, and its parent leaves the recording as usual."""
    program(
        """
        run = engine("executor spawn")
        run(plain, 4)
        with record("r"), scope("fit"):
            run(carry(forking), 3)
        assert not any(folder for _, folder in run(plain, 4))
        run.close()
        """,
        define="""
        def forking(i):
            with scope("forking"):
                pid = os.fork()
                if pid == 0:
                    with scope("child"):
                        pass
                    os._exit(0)
                os.waitpid(pid, 0)
            return os.getpid(), None
        """,
    )
    counts = Counter(row.path for row in read(tmp_path / "r").own)
    assert (counts["fit/forking"], counts["child"], counts["plain"]) == (3, 3, 0)
