"""Sleep is time too: idle samples are under the scope that waits."""

import time

from work import SECONDS, about, busy, turns

from workbench import scope


def in_wait():
    time.sleep(about(0.090))


def in_compute():
    busy(about(0.060))


def main():
    for _ in turns(SECONDS):
        with scope("wait"):
            in_wait()
        with scope("compute"):
            in_compute()
        time.sleep(about(0.030))


main()
