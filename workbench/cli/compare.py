"""`workbench compare`: two revisions or environments, and a gate for CI."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from workbench.cli._progress import error_text, progress, say
from workbench.cli._settings import HELP
from workbench.cli.bench import (
    Duration,
    Share,
    instructions_option,
    keep_option,
    rounds_option,
    seed_option,
    showing,
    timeout_option,
)
from workbench.errors import InvalidInputError, WorkbenchError

if TYPE_CHECKING:
    from workbench.bench.compare.gate import Limits, Verdict
    from workbench.bench.compare.revisions import CompareOptions

EPILOG = """\b
Examples:
  workbench compare --base main --new HEAD benchmarks/suite.py
  workbench compare --base v1.2 --new v1.3 suite.py --fail-slower 3% --budget 20m -o reports/v1.3
  workbench compare --base main --new HEAD suite.py --no-install          for pure Python: quick
  workbench compare --base main --new HEAD suite.py --fail-instructions 2%     holds on a busy runner, too
  workbench compare --base main --new HEAD suite.py --markdown "$GITHUB_STEP_SUMMARY"
  workbench compare --base-python old/bin/python --new-python new/bin/python suite.py
  workbench compare reports/before reports/after      folders of stored experiments, six or more each

\b
Exit codes: 0 fine, 1 a regression, 2 bad input, 3 inconclusive, 130 interrupted.
Both sides are measured now, in turns, with the base twice in each round. Revisions are checked out into temporary
folders and installed into new environments; your checkout is left alone. Files in the folder of -o that workbench
did not write are never replaced: if one is in the way, nothing runs, and the exit code is 2."""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("--base", metavar="REV", help="The revision to compare with.")
@click.option("--new", metavar="REV", help="The revision to judge.  [default: HEAD]")
@click.option(
    "--base-python", metavar="PYTHON", help="Compare environments instead: the one to compare with."
)
@click.option("--new-python", metavar="PYTHON", help="The environment to judge.")
@click.option(
    "--no-install", is_flag=True, help="Run both revisions on this Python, without installing them."
)
@click.option("--with", "extras", multiple=True, metavar="REQUIREMENT",
              help="Also install this on both sides: a package, or .[EXTRA] of the project. Repeatable.")  # fmt: skip
@click.option("--variant", "variants", multiple=True, metavar="NAME",
              help="Compare this variant of the suite. Repeatable.  [default: the baseline]")  # fmt: skip
@click.option(
    "--fail-slower", type=Share(), default="5%", show_default=True, help="Largest slowdown that passes."
)
@click.option("--fail-worse", type=float, default=0.1, show_default=True,
              help="Largest increase of the error that passes, in log10 (0.1 is 26 %).")  # fmt: skip
@click.option("--fail-larger", type=Share(), metavar="SHARE",
              help="Largest increase of peak memory that passes, such as 10%.  [default: any]")  # fmt: skip
@instructions_option
@click.option("--fail-instructions", type=Share(), metavar="SHARE",
              help="Largest increase of the instructions that passes, such as 2%; counts them.")  # fmt: skip
@click.option("--budget", type=Duration(), default="5m", show_default=True, help="Time to measure.")
@rounds_option
@seed_option
@timeout_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="EXPERIMENT", help="Folder of the experiment."
)
@keep_option
@click.option("--dry-run", is_flag=True, help="Print what --keep would delete, and measure nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.option("--markdown", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE",
              help="Append the verdict to FILE as Markdown, whatever comes out; - prints it.")  # fmt: skip
@click.argument("what", nargs=-1, required=True, metavar="SUITE | EXPERIMENT EXPERIMENT")
@click.pass_context
def command(
    ctx: click.Context,
    what: tuple[str, ...],
    base: str | None,
    new: str | None,
    base_python: str | None,
    new_python: str | None,
    no_install: bool,
    extras: tuple[str, ...],
    variants: tuple[str, ...],
    fail_slower: float,
    fail_worse: float,
    fail_larger: float | None,
    instructions: bool,
    fail_instructions: float | None,
    budget: float,
    rounds: int | None,
    seed: int,
    timeout: float,
    output: Path | None,
    keep: int | None,
    dry_run: bool,
    as_json: bool,
    markdown: str | None,
) -> None:
    """Compare a new revision or environment with a base by SUITE, or compare stored experiments."""
    from workbench.bench.compare.gate import Limits
    from workbench.bench.compare.revisions import CompareOptions

    if not 0 < fail_worse < math.inf:
        raise InvalidInputError(f"--fail-worse {fail_worse:g}: choose a positive number of powers of ten")
    if as_json and markdown == "-":
        raise InvalidInputError("--json and --markdown - both print: name a file for the Markdown")
    if dry_run and (keep is None or len(what) > 1):
        raise InvalidInputError("--dry-run prints what --keep would delete: give one suite, and --keep N")
    limits = Limits(fail_slower, fail_worse, fail_larger, fail_instructions)
    sides = (base, new, base_python, new_python)
    with _markdown_of_errors(markdown):
        if len(what) > 1:
            counts = instructions or fail_instructions is not None
            if any(sides) or no_install or extras or counts or output is not None or keep is not None:
                raise InvalidInputError(
                    f"{what[0]} and {what[1]}: give one suite, or two stored experiments without options of a "
                    "measurement"
                )
            compared = _stored(what, variants, limits)
        else:
            options = CompareOptions(
                what[0],
                output or Path("reports") / datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S"),
                base=base,
                new=new or ("HEAD" if base is not None else None),
                base_python=base_python,
                new_python=new_python,
                install=not no_install,
                extras=extras,
                variants=variants,
                limits=limits,
                budget_s=budget,
                rounds=rounds,
                seed=seed,
                timeout_s=timeout,
                instructions=instructions,
                keep=keep,
            )
            if dry_run and keep is not None:
                for line in _would_retire(options, keep):
                    click.echo(line)
                return
            compared = _measured(options)
    _append(markdown, compared.markdown)
    page = str(compared.page) if compared.page is not None else None
    if as_json:
        click.echo(json.dumps(compared.verdict.to_json() | {"page": page}, indent=1, allow_nan=False))
    elif markdown != "-":
        for line in compared.verdict.lines:
            click.echo(line)
        if page is not None:
            click.echo(f"open {page} in a browser")
    ctx.exit(compared.verdict.exit_code)


class _Compared(NamedTuple):
    """What a comparison came to."""

    verdict: Verdict
    markdown: list[str]
    page: Path | None


@contextmanager
def _markdown_of_errors(path: str | None) -> Iterator[None]:
    """Let an error within be in the Markdown, too; a file that cannot be written is refused before anything runs."""
    from workbench.report.bench.markdown import error_markdown

    if path not in (None, "-"):
        try:
            Path(path).open("a").close()
        except OSError as error:
            raise InvalidInputError(f"--markdown {path}: {error.strerror}; name another file") from None
    try:
        yield
    except WorkbenchError as error:
        _append(path, error_markdown(error_text(error)))
        raise
    except KeyboardInterrupt:
        _append(path, error_markdown("interrupted before there was a verdict"))
        raise


def _append(path: str | None, lines: list[str]) -> None:
    """Append lines to a file, or print them; the verdict is not lost to a file that cannot be written."""
    if path == "-":
        click.echo("\n".join(lines))
    elif path is not None:
        try:
            with Path(path).open("a", encoding="utf-8", errors="replace") as file:
                file.write("\n".join(["", *lines, ""] if file.tell() else [*lines, ""]))
        except OSError as error:
            say(f"--markdown {path}: {error.strerror}")


def _measured(options: CompareOptions) -> _Compared:
    from workbench.bench.analysis.analysis import analyse
    from workbench.bench.compare.revisions import compare_revisions
    from workbench.report.bench.markdown import experiment_markdown
    from workbench.report.bench.page import write_page

    try:
        with progress("comparing") as advance:
            compared = compare_revisions(
                options, progress=showing(advance), say=say, step=lambda text: advance(0, None, text)
            )
        lines = experiment_markdown(analyse(compared.results))
        return _Compared(compared.verdict, lines, write_page(compared.results))
    except WorkbenchError as error:
        if error.exit_code == 1:  # which here would be taken for a regression
            raise InvalidInputError(str(error)) from None
        raise


def _would_retire(options: CompareOptions, keep: int) -> list[str]:
    from workbench.bench.compare.revisions import would_retire

    with progress("comparing") as advance:
        return would_retire(options, keep, say=say, step=lambda text: advance(0, None, text))


def _stored(what: tuple[str, ...], variants: tuple[str, ...], limits: Limits) -> _Compared:
    from workbench.bench.analysis.sessions import read_sessions
    from workbench.bench.compare.sessions import compare_sessions
    from workbench.report.bench.markdown import verdict_markdown

    if len(what) > 2:
        raise InvalidInputError(
            f"{len(what)} experiments are given: compare two, or two folders of experiments"
        )
    base, new = (read_sessions(Path(path)) for path in what)
    verdict = compare_sessions(base, new, limits, variants)
    return _Compared(verdict, verdict_markdown(verdict), None)
