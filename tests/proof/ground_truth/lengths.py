"""Scopes of 50 µs, 1 ms, 10 ms, 100 ms and 1 s, with as much time between them as in them."""

from work import SECONDS, about, busy, turns

from workbench import scope


def in_50_us():
    busy(50e-6)


def in_1_ms():
    busy(1e-3)


def in_10_ms():
    busy(10e-3)


def in_100_ms():
    busy(about(100e-3))


def in_1_s():
    busy(1.0)


def between(seconds):
    busy(seconds)


def repeat_50_us(seconds):
    for _ in turns(seconds):
        with scope("50 us"):
            in_50_us()
        between(50e-6)


def repeat_1_ms(seconds):
    for _ in turns(seconds):
        with scope("1 ms"):
            in_1_ms()
        between(1e-3)


def repeat_10_ms(seconds):
    for _ in turns(seconds):
        with scope("10 ms"):
            in_10_ms()
        between(10e-3)


def repeat_100_ms(seconds):
    for _ in turns(seconds):
        with scope("100 ms"):
            in_100_ms()
        between(0.1)


def main():
    for _ in turns(SECONDS):
        repeat_50_us(0.8)
        repeat_1_ms(0.8)
        repeat_10_ms(0.8)
        repeat_100_ms(1.0)
        with scope("1 s"):
            in_1_s()
        between(1.0)


main()
