"""Programs that send work to engines, under each recorder, and what they recorded."""

from __future__ import annotations

import os
import re
import textwrap

import pytest

BOTH = pytest.mark.parametrize("recorder", ["native", "python"])
QUIET = (
    "distributed",
    "distributed.client",
    "distributed.gc",
    "distributed.nanny",
    "tornado.application",
    "asyncio",
)
"""Loggers of dask's. On a busy machine they tell of late heartbeats and lost connections, in each of its processes."""

PROGRAM = """
import hashlib, os, pathlib, pickle, random, shutil, signal, subprocess, sys, threading, time
import concurrent.futures, multiprocessing
from workbench import carry, record, scope

def work(i):
    with scope("item"):
        with scope(f"number {i}"):
            pass
        return os.getpid(), os.environ.get("WORKBENCH_RECORD")

def plain(i):
    with scope("plain"):
        time.sleep(0.01)  # so that both workers get some
        return os.getpid(), os.environ.get("WORKBENCH_RECORD")

class Joblib:
    def __init__(self, backend):
        import joblib
        self.delayed, self.parallel = joblib.delayed, joblib.Parallel(n_jobs=2, backend=backend, batch_size=1)
        self.parallel.__enter__()
    def __call__(self, function, n):
        return self.parallel(self.delayed(function)(i) for i in range(n))
    def close(self):
        self.parallel.__exit__(None, None, None)

class Pool:
    def __init__(self, way):
        self.pool = multiprocessing.get_context(way).Pool(2)
    def __call__(self, function, n):
        return self.pool.map(function, range(n), chunksize=1)
    def close(self):
        self.pool.close()
        self.pool.join()

class Executor:
    def __init__(self, way):
        make = concurrent.futures.ProcessPoolExecutor
        context = {} if way == "threads" else {"mp_context": multiprocessing.get_context(way)}
        self.pool = (concurrent.futures.ThreadPoolExecutor if way == "threads" else make)(2, **context)
    def __call__(self, function, n):
        return list(self.pool.map(function, range(n)))
    def close(self):
        self.pool.shutdown()

class Dask:
    def __init__(self, threads):
        from dask.distributed import Client
        self.client = Client(n_workers=2, threads_per_worker=int(threads), processes=True, dashboard_address=":0")
    def __call__(self, function, n):
        return self.client.gather([self.client.submit(function, i, pure=False) for i in range(n)])
    def close(self):
        self.client.shutdown()

class JoblibOnDask(Dask):
    def __call__(self, function, n):
        import joblib
        with joblib.parallel_config(backend="dask"):
            return joblib.Parallel(batch_size=1)(joblib.delayed(function)(i) for i in range(n))

ENGINES = {
    "joblib loky": (Joblib, "loky"),
    "joblib threading": (Joblib, "threading"),
    "joblib multiprocessing": (Joblib, "multiprocessing"),
    "joblib dask": (JoblibOnDask, 1),
    "pool fork": (Pool, "fork"),
    "pool spawn": (Pool, "spawn"),
    "executor threads": (Executor, "threads"),
    "executor fork": (Executor, "fork"),
    "executor spawn": (Executor, "spawn"),
    "dask": (Dask, 1),
    "dask threads": (Dask, 2),
}

def engine(name):
    make, argument = ENGINES[name]
    return make(argument)
"""


@pytest.fixture(scope="session")
def quiet_dask():
    """Environment variables with which dask's processes log nothing."""
    return {"DASK_LOGGING": repr(dict.fromkeys(QUIET, "critical"))}


@pytest.fixture
def recorder():
    """The recorder of the programs: a test that is to pass with both names them by `BOTH`."""
    return "native"


@pytest.fixture
def program(run, quiet_dask, recorder, tmp_path):
    """Return a function that runs a program with engines, and gives what it prints."""
    if recorder == "native" and os.environ.get("CI") != "true":
        pytest.importorskip("workbench.scopes._native", exc_type=ImportError)

    def program(body: str, *, define: str = "", engine: str = "", err: str | None = "") -> str:
        """Run it; `err` is a pattern for its standard error, None for anything."""
        if "dask" in engine and os.environ.get("CI") != "true":
            pytest.importorskip("distributed")
        extra = {"WORKBENCH_RECORDER": recorder, "TMPDIR": str(tmp_path)} | quiet_dask
        code = f"{PROGRAM}\n{textwrap.dedent(define)}\nif __name__ == '__main__':\n"
        done = run(code + textwrap.indent(textwrap.dedent(body), "    "), **extra)
        assert done.returncode == 0, done.stderr
        if err is not None:
            assert re.fullmatch(err, done.stderr, re.DOTALL), done.stderr
        return done.stdout

    return program
