"""`workbench report`: the page of a profile, of an experiment, or of several experiments over time."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli._progress import progress, say, say_all
from workbench.cli._redact import redact_option, redaction, refuse_experiment
from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError

EPILOG = """\b
Examples:
  workbench report profiles/fit                       the page again, in that folder
  workbench report recording -o reports/fit           a recording, with all its processes
  workbench report fit.speedscope.json -o reports/fit any file that can be read
  workbench report --redact profiles/fit -o public    without names of users, homes, hosts and values
  workbench report reports/2026-11-23-101500          the page of an experiment again
  workbench report reports/nightly                    the page of all experiments in a folder, over time
  workbench report reports/monday reports/tuesday -o reports/both
                                                      the same for experiments that are named

The folder of a profile also gets its flame graphs, its timeline, speedscope files and folded stacks. Files that
workbench did not write are never replaced: if one is in the way, or another process is writing to the folder, nothing
is written, and the exit code is 2.
"""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder to write to.")
@redact_option(" Source lines are left out.")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PROFILE|EXPERIMENT..."
)
def command(output: Path | None, redact: bool, paths: tuple[Path, ...]) -> None:
    """Write the page of a PROFILE (a recording, a profile's folder or file), of an EXPERIMENT, or of several."""
    for path in paths:
        if redact and (_is_run(path) or _holds_experiments(path)):
            refuse_experiment(path)
    if len(paths) > 1 or _holds_experiments(paths[0]):
        page = _runs_page(paths, output)
    elif _is_run(paths[0]):
        page = _run_page(paths[0], output)
    else:
        page = _profile_page(paths[0], output, redact=redact)
    click.echo(f"open {page} in a browser")


def _is_run(path: Path) -> bool:
    from workbench.bench.results.results import FILE

    return path.name == FILE or (path / FILE).is_file()


def _holds_experiments(path: Path) -> bool:
    """Return whether a folder holds experiments; that of a profile may hold the one of what profiling cost."""
    from workbench.bench.results.results import FILE
    from workbench.report.profile.run import is_profile_folder

    return any(path.glob(f"*/{FILE}")) and not (_is_run(path) or is_profile_folder(path))


def _run_page(path: Path, output: Path | None) -> Path:
    if output is not None:
        raise InvalidInputError(f"{path} is an experiment, whose page is in its own folder: leave -o out")
    from workbench.bench.results.results import read_results
    from workbench.report.bench.page import write_page

    return write_page(read_results(path))


def _runs_page(paths: tuple[Path, ...], output: Path | None) -> Path:
    others = [path for path in paths if not (_is_run(path) or _holds_experiments(path))]
    if others:
        raise InvalidInputError(
            f"{others[0]} is not an experiment: only experiments can be shown side by side; report profiles one by one"
        )
    if output is None and len(paths) > 1:
        raise InvalidInputError(f"name a folder for the page of these {len(paths)} experiments with -o DIR")
    from workbench.bench.analysis.sessions import read_sessions
    from workbench.report.history.page import write_runs_page

    runs = [run for path in paths for run in read_sessions(path, lambda why: say(f"left out: {why}"))]
    if not runs:
        raise InvalidInputError(f"{paths[0]} holds no experiment with a complete round: measure one")
    with progress("analysing") as advance:
        return write_runs_page(
            runs, output or paths[0], progress=lambda done, total: advance(done, total, "experiments")
        )


def _profile_page(path: Path, output: Path | None, *, redact: bool) -> Path:
    from workbench.capture.load import RECORDING, holds_profile, no_profile
    from workbench.eventlog import is_recording
    from workbench.report.profile.page import write_report
    from workbench.report.profile.redacted import redacted
    from workbench.report.profile.run import is_profile_folder, read_run

    if not path.exists():
        raise InvalidInputError(
            f"{path} does not exist: name a profile, a recording, or an experiment's folder"
        )
    if path.is_dir() and not holds_profile(path) and not is_profile_folder(path):
        raise no_profile(path)
    if output is None and not is_profile_folder(path) and not is_recording(path / RECORDING):
        raise InvalidInputError(f"name a folder for the page of {path} with -o DIR")
    if redact and (output is None or (output.exists() and output.samefile(path))):
        raise InvalidInputError(f"{path} holds what is to be redacted: name another folder with -o DIR")
    run = read_run(path)
    if redact:
        run = redacted(run, redaction())
    if run.old:
        say(run.old)
    if path.is_file():
        say_all(run.warnings)
    return write_report(run, output or path)
