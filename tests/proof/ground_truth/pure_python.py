"""Three blocks and what is between them: about 40, 20, 10 and 30 % of the time."""

from work import SECONDS, about, busy, turns

from workbench import scope


def in_first():
    busy(about(0.080))


def in_second():
    busy(about(0.040))


def in_third():
    busy(about(0.020))


def between():
    busy(about(0.060))


def main():
    for _ in turns(SECONDS):
        with scope("first"):
            in_first()
        between()
        with scope("second"):
            in_second()
            with scope("third"):
                in_third()


main()
