"""`workbench profile`: any program, or the variants of the reference suite."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from workbench.capture.command import split
from workbench.capture.samplers import DEFAULT_RATE, NONE, ORDER, TRACEMALLOC, SamplerName, Sampling
from workbench.cli._profile_cost import check_use, measure
from workbench.cli._progress import progress, say, say_error, say_warning, terminal_width
from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.text import as_seconds

if TYPE_CHECKING:  # they bring NumPy, which --help does not need
    from workbench.capture.program import CaptureOptions
    from workbench.report.profile.overview import RunOverview

EPILOG = """\b
Examples:
  workbench profile fit.py --epochs 50        scopes and samples, in profiles/fit/
  workbench profile -m mypackage.train -q     the same for a module
  workbench profile -o /tmp/run --rate 200 --no-native fit.py
  workbench profile -- -X dev -W error fit.py options of Python follow --
  workbench profile --repeat 8 -o before fit.py      8 profiles, before/1 to before/8, for workbench diff
  workbench profile --suite reference         every variant, and profiles/index.html
  workbench profile --cost fit.py --epochs 50 what profiling costs it, in profiles/fit/cost/
  workbench profile --memory fit.py           what it allocates, by scope and line, and what leaks
  workbench profile --pid 1234 --seconds 10   a program that runs already, in profiles/fit-1234/

Options of workbench come before the program, the program's own after it. Its streams and exit code pass
through; 75 means that it succeeded and no sampler ran. On a terminal a summary of where the time went follows on
standard error, else one line with the path of the page. An earlier profile in the folder is replaced. Files that
workbench did not write are never replaced or deleted: if one is in the way, or another process is writing there,
the program is not started, and the exit code is 2.

\b
--repeat N makes the profiles DIR/1 to DIR/N of the folder of -o. Ctrl-C keeps those that are finished, and the same
command makes the others, unless the script has changed since. It ends at the first that fails.

\b
--cost runs the program 3 times in each of these ways, in turns: bare, with scopes recorded, with the in-process
sampler, with py-spy, with py-spy's native frames (not with --no-native), and bare again. It gets no standard input, and
its output is discarded. It must do the same work each time. Ctrl-C keeps complete rounds, and the same command resumes.
With --memory the ways are bare, with scopes recorded, with memory traced, and bare again.
"""

SUITE_SECONDS = 4.0
_TAKE_VALUE = frozenset(
    {"-o", "--output", "--rate", "--sampler", "--suite", "--seconds", "--runs", "--repeat", "--pid"}
)


class _ProgramCommand(click.Command):
    """Ends our own options at the program: a script's name, `-`, or `-m` or `-c` and what follows."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        i = 0
        while i < len(args) and args[i].startswith("-") and args[i] != "--":
            if args[i] in ("-", "-m", "-c"):
                args = [*args[:i], "--", *args[i:]]
                break
            i += 2 if args[i] in _TAKE_VALUE else 1
        return super().parse_args(ctx, args)


@click.command(cls=_ProgramCommand, epilog=EPILOG, context_settings=HELP | {"allow_interspersed_args": False})
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--rate", default=DEFAULT_RATE, show_default=True, help="Samples a second.")
@click.option(
    "--native/--no-native",
    default=None,
    help="Sample native functions too. [default: in-process does]",
)
@click.option(
    "--sampler",
    type=click.Choice(["auto", *ORDER, NONE]),
    default="auto",
    show_default=True,
    help="auto takes the first that can run: in-process, py-spy, pyinstrument.",
)
@click.option(
    "--summary", is_flag=True, help="At the end, print where the time went.  [default: on a terminal]"
)
@click.option(
    "--source/--no-source", default=True, help="Copy the program's own source files. [default: yes]"
)
@click.option(
    "--repeat", type=click.IntRange(min=1), metavar="N", help="Make N profiles, in folders 1 to N of -o."
)
@click.option("--suite", metavar="NAME", help="Profile each variant of a suite of workbench: reference.")
@click.option("--pid", type=click.IntRange(min=1), metavar="PID", help="Measure a program that runs already.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    help="With --pid: how long, by default until Ctrl-C. With --suite: of repeating the training.  [default: 4]",
)
@click.option("--memory", is_flag=True, help="Trace memory instead of sampling; the program runs slower.")
@click.option(
    "--cost", is_flag=True, help="Run the program several times to measure what profiling costs it."
)
@click.option("--runs", type=int, help="With --cost: runs of each way.  [default: 3]")
@click.option("--json", "as_json", is_flag=True, help="With --cost: print the figures as JSON.")
@click.argument(
    "program",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="SCRIPT [ARGS]... | -m MODULE [ARGS]... | -- PYTHON ARGS...",
)
def command(
    output: Path | None,
    rate: int,
    native: bool | None,
    sampler: str,
    summary: bool,
    source: bool,
    repeat: int | None,
    suite: str | None,
    pid: int | None,
    seconds: float | None,
    memory: bool,
    cost: bool,
    runs: int | None,
    as_json: bool,
    program: tuple[str, ...],
) -> None:
    """Run a Python program, record its scopes and sample it, and write flame graphs of it."""
    if cost:
        check_use(suite, sampler)
    elif runs is not None or as_json:
        raise InvalidInputError(f"{'--runs' if runs is not None else '--json'} goes with --cost alone")
    if summary and (cost or suite is not None):
        raise InvalidInputError("--summary is of one program: leave out --suite and --cost")
    if not source and (cost or suite is not None):
        raise InvalidInputError("--no-source is of one program: leave out --suite and --cost")
    if repeat is not None and (cost or suite is not None or summary):
        other = "--cost" if cost else f"--suite {suite}" if suite is not None else "--summary"
        raise InvalidInputError(f"--repeat {repeat} is of profiles of one program: leave out {other}")
    if memory:
        _check_memory(suite, repeat)
    sampling = Sampling(cast("SamplerName", TRACEMALLOC if memory else sampler), rate, native)
    if pid is not None:
        others = {
            "--cost": cost,
            f"--suite {suite}": suite is not None,
            f"--repeat {repeat}": repeat is not None,
            "--memory": memory,
            " ".join(program[:1]): bool(program),
        }
        for other in (words for words, is_given in others.items() if is_given):
            raise InvalidInputError(f"--pid {pid} is of a program that runs already: leave out {other}")
        if seconds is not None and not 0 < seconds < math.inf:
            raise InvalidInputError(
                f"--seconds {seconds:g} with --pid {pid}: give more than 0, or leave it out"
            )
        sys.exit(_profile_running(pid, output, sampling, seconds, source=source, summary=summary))
    if seconds is not None and suite is None:
        raise InvalidInputError(f"--seconds {seconds:g} goes with --pid or --suite alone")
    if suite is not None:
        if program:
            raise InvalidInputError(
                f"--suite {suite} profiles the suite's own program: leave out {program[0]}"
            )
        _profile_suite(
            suite, output or Path("profiles"), SUITE_SECONDS if seconds is None else seconds, sampling
        )
        return
    if not program:
        raise InvalidInputError(
            "nothing to profile: name a script, or -m and a module (see workbench profile -h)"
        )
    from workbench.capture.program import CaptureOptions

    folder = output or Path("profiles") / split(program).name
    options = CaptureOptions(program=program, folder=folder, sampling=sampling, source=source)
    if cost:
        sys.exit(measure(options, runs, as_json=as_json))
    if repeat is not None:
        sys.exit(_profile_repeatedly(options, repeat))
    sys.exit(_profile_program(options, summary=summary))


def _check_memory(suite: str | None, repeat: int | None) -> None:
    """Raise `InvalidInputError` where something was given that --memory does not go with."""
    context = click.get_current_context()
    given = [
        f"--{name}"
        for name in ("sampler", "rate", "native")
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise InvalidInputError(f"--memory runs the program without a sampler: leave out {given[0]}")
    others = {f"--suite {suite}": suite is not None, f"--repeat {repeat}": repeat is not None}
    for other in (words for words, is_given in others.items() if is_given):
        raise InvalidInputError(f"--memory is of one run of one program: leave out {other}")


def _profile_repeatedly(options: CaptureOptions, count: int) -> int:
    """Make the profiles that a folder lacks, one after another; return the first exit code that is not zero."""
    from workbench.capture.command import check
    from workbench.report.profile.profile_set import pending
    from workbench.scopes.environment import member

    check(options.program)
    if member() is not None:
        raise InvalidInputError(
            f"--repeat {count} is of a program that is started once: leave mpirun or srun out"
        )
    numbers = pending(options.folder, count, options.program)
    if len(numbers) < count:
        say(f"{options.folder} has {count - len(numbers)} of {count} profiles: making the others")
    began = time.monotonic()
    for done, number in enumerate(numbers):
        left = (time.monotonic() - began) / done * (len(numbers) - done) if done else None
        say(
            f"profile {number} of {count}" + (f", about {as_seconds(left)} to go" if left is not None else "")
        )
        folder = options.folder / str(number)
        code = _profile_program(replace(options, folder=folder), summary=False, is_one_of_many=True)
        if code:
            say(
                f"profile {number} of {count} ended with exit code {code}; those before it are kept, and the same "
                "command makes the others"
            )
            return code
    are = f"{count} profiles are" if count > 1 else "1 profile is"
    say(f"{are} in {options.folder}; compare them with workbench diff {options.folder} OTHER")
    return 0


def _profile_program(options: CaptureOptions, *, summary: bool, is_one_of_many: bool = False) -> int:
    from workbench.capture.command import check
    from workbench.capture.program import run_program
    from workbench.report.profile.files import profile_folder, write_profile_files
    from workbench.report.profile.overview import overview_of
    from workbench.report.profile.run import run_of_capture
    from workbench.scopes.environment import member

    check(options.program)
    with profile_folder(options, member=member()) as folder:
        capture = run_program(replace(options, output_folder=folder), say=say_warning)
        try:
            shown = overview_of(run_of_capture(capture))
            files = write_profile_files(capture, shown=shown)
        except WorkbenchError as error:
            if capture.returncode == 0:
                raise
            say_error(error)  # the program's own failure is the one to report
            return capture.returncode
    if not is_one_of_many:
        page = next((file for file in files if file.suffix == ".html"), None)
        _say_result(shown, page, summary=summary)
    return capture.exit_code


def _profile_running(
    pid: int, folder: Path | None, sampling: Sampling, seconds: float | None, *, source: bool, summary: bool
) -> int:
    from workbench.capture.attach import attach
    from workbench.capture.program import CaptureOptions
    from workbench.capture.running import running_program
    from workbench.report.profile.files import profile_folder, write_profile_files
    from workbench.report.profile.overview import overview_of
    from workbench.report.profile.run import run_of_capture

    program = running_program(pid)
    folder = folder or Path("profiles") / f"{split(program.command).name}-{pid}"
    options = CaptureOptions(program.command, folder, sampling, source=source, pid=pid)
    with profile_folder(options) as output:
        with progress(f"attached to PID {pid}") as advance:
            capture = attach(
                replace(options, output_folder=output),
                program,
                seconds,
                say=say_warning,
                tell=say,
                passed=lambda now: advance(now, seconds, ""),
            )
        shown = overview_of(run_of_capture(capture))
        files = write_profile_files(capture, shown=shown)
    _say_result(shown, next(file for file in files if file.suffix == ".html"), summary=summary)
    return capture.exit_code


def _say_result(shown: RunOverview, page: Path | None, *, summary: bool) -> None:
    """Print the overview and the page's path on standard error; where nobody reads along, the path alone."""
    from workbench.report.profile.overview import as_text

    if sys.stderr is None:
        return
    if summary or sys.stderr.isatty():
        lines = as_text(shown, terminal_width(sys.stderr))
        print("\n".join(["", *lines, ""]), file=sys.stderr)
    if page is not None:
        say(f"open {page} in a browser")


def _profile_suite(suite: str, folder: Path, seconds: float, sampling: Sampling) -> None:
    from workbench.report.suite.profiles import SuiteProfileOptions, profile_suite

    options = SuiteProfileOptions(suite=suite, folder=folder, seconds=seconds, sampling=sampling)
    with progress(f"profiling {suite}") as advance:
        index = profile_suite(options, progress=advance, say=say)
    click.echo(f"open {index} in a browser")
