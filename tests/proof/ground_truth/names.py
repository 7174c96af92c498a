"""Scopes whose names are made as they are opened, in functions that no line tells apart."""

import types

from work import SECONDS, about, busy, turns

from workbench import scope

JOBS = 12
MADE = """
def made(seconds):
    with scope(NAME):
        busy(seconds)
"""


def in_one_line():
    busy(about(0.020))


def in_job(number):
    """Return a function of its own name, whose code is the same as all others'."""
    code = job.__code__.replace(co_name=f"in_job_{number}", co_qualname=f"in_job_{number}")
    return types.FunctionType(code, globals())


def job():
    busy(about(0.010))


def in_two_files():
    """Return two functions of one file, name and lines, each with a scope of its own."""
    made = []
    for name in ("made first", "made second"):
        names = {"scope": scope, "busy": busy, "NAME": name}
        exec(compile(MADE, "made.py", "exec"), names)
        made.append(names["made"])
    return made


def main():
    jobs = [in_job(number) for number in range(JOBS)]
    first, second = in_two_files()
    for _ in turns(SECONDS):
        for number, each in enumerate(jobs):
            with scope(f"job {number}"):
                each()
        with scope("one line"): in_one_line()  # fmt: skip  # noqa: E701
        first(about(0.060))
        second(about(0.020))


main()
