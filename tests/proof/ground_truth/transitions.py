"""From one block to the next every 10 to 60 ms: changes at known times, for the clock."""

from work import SECONDS, busy, shuffled, turns

from workbench import scope


def in_one():
    busy(shuffled.uniform(0.010, 0.060))


def in_two():
    busy(shuffled.uniform(0.010, 0.060))


def main():
    for _ in turns(SECONDS):
        with scope("one"):
            in_one()
        with scope("two"):
            in_two()
        busy(shuffled.uniform(0.010, 0.060))


main()
