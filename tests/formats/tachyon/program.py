"""Two threads that compute in turn and sleep, for a few tenths of a second."""

import sys
import threading
import time


def leaf(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def deep(n):
    return leaf(2000) if n == 0 else deep(n - 1)


def compute(until):
    while time.perf_counter() < until:
        leaf(300)
        deep(12)


def main():
    compute(time.perf_counter() + 0.2)
    time.sleep(0.05)


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    thread = threading.Thread(target=main)
    thread.start()
    main()
    thread.join()
