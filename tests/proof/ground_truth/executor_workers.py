"""Processes of an executor, forked and spawned, whose work is carried under the scope that sent it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from work import SECONDS, about, busy, turns

from workbench import carry, scope


def in_load():
    busy(about(0.010))


def in_compute():
    busy(about(0.040))


def job(_):
    for _ in turns(SECONDS / 4):
        with scope("load"):
            in_load()
        with scope("compute"):
            in_compute()


if __name__ == "__main__":
    for method in ("fork", "spawn"):
        with (
            scope("send"),
            ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as executor,
        ):
            list(executor.map(carry(job), range(4)))
