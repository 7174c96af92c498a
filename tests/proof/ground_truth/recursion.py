"""A recursion with a scope for each call, and one for each of its blocks."""

from work import SECONDS, about, busy, turns

from workbench import scope


def in_level_1():
    busy(about(0.060))


def in_level_2():
    busy(about(0.040))


def in_level_3():
    busy(about(0.020))


LEVELS = (in_level_1, in_level_2, in_level_3)


@scope("walk")
def walk(level):
    with scope("level"):
        LEVELS[level - 1]()
        if level < 3:
            walk(level + 1)


def main():
    for _ in turns(SECONDS):
        walk(1)
        busy(about(0.040))


main()
