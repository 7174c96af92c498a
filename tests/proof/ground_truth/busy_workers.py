"""Four processes that compute all the time, on however few cores there are."""

import multiprocessing

from work import SECONDS, about, busy, turns

from workbench import scope


def in_short():
    busy(about(0.010))


def in_middle():
    busy(about(0.030))


def in_long():
    busy(about(0.060))


def worker():
    for _ in turns(SECONDS):
        with scope("short"):
            in_short()
        with scope("middle"):
            in_middle()
        with scope("long"):
            in_long()


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=worker) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
