"""Two threads, one that computes and one that mostly sleeps, in functions and lines that both share."""

import threading
import time

from work import SECONDS, about, busy, turns

from workbench import scope


def in_one_computes():
    busy(about(0.070))


def in_one_rests():
    time.sleep(about(0.030))


def in_two_computes():
    busy(about(0.020))


def in_two_rests():
    time.sleep(about(0.080))


def run(who, computes, rests):
    for _ in turns(SECONDS):
        with scope(f"{who} computes"):
            computes()
        with scope(f"{who} rests"):
            rests()


threads = [
    threading.Thread(target=run, args=("one", in_one_computes, in_one_rests), name="one"),
    threading.Thread(target=run, args=("two", in_two_computes, in_two_rests), name="two"),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
