"""A generator whose scope is open while it waits: what uses its items is not under it."""

from work import SECONDS, about, busy, turns

from workbench import scope


def in_read():
    busy(about(0.040))


def in_use():
    busy(about(0.060))


def rows():
    with scope("reading"):
        for _ in turns(SECONDS):
            with scope("read"):
                in_read()
            yield 1


def main():
    for _ in rows():
        with scope("use"):
            in_use()
        busy(about(0.020))


main()
