"""The magics of IPython, in notebooks and in terminals: `%profile`, `%%profile` and `%%bench`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import CodeType
from typing import Any

import click
from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand
from IPython.display import DisplayHandle, display

from workbench.cli import bench as bench_command
from workbench.cli import profile as profile_command
from workbench.cli._progress import Advance, error_text, progress, say
from workbench.cli._settings import HELP
from workbench.errors import WorkbenchError
from workbench.extras import missing_extra

_WORD = re.compile(r"""\s*("[^"]*"|'[^']*'|\S+)""")


def _options_of(command: click.Command, *names: str) -> list[click.Parameter]:
    return [option for option in command.params if option.name in names]


_PROFILE = click.Command(
    "%%profile",
    context_settings=HELP,
    params=[
        click.Argument(["name"], required=False),
        *_options_of(profile_command.command, "output", "rate", "native"),
    ],
    help="""Profile a cell in this process: its scopes are recorded, and its threads and the processes that it starts
    are sampled. The output is a summary, a flame graph and the cell's lines. The files and the page are in
    profiles/NAME.""",
    epilog="""\b
Examples:
  %%profile                     the cell, in profiles/cell-3 if it is In [3]
  %%profile fit                 in profiles/fit; an earlier profile there is replaced
  %%profile --rate 1000 fit     1000 samples a second
  %profile -o /tmp/fit fit(x)   a statement""",
)


_BENCH = click.Command(
    "%%bench",
    context_settings=HELP | {"default_map": {"budget": "1m"}},
    params=[
        click.Argument(["name"], required=False),
        *_options_of(
            bench_command.command,
            *("output", "budget", "precision", "rounds", "delta", "seed", "timeout", "no_profile"),
        ),
    ],
    help="""Compare variants of code, each in fresh processes that read this cell alone, in paired rounds. A variant
    begins with a line such as `# %% loop`; the first is the baseline. What is above it is the set-up of all, which is
    not timed; there, `seed` is the round's seed. The results are those of `workbench bench`.""",
    epilog="""\b
Examples:
  %%bench                         for a minute, in reports/DATE-TIME
  %%bench sums --precision 2%     until the intervals are ±2 %, for at most a minute
  %%bench --rounds 12 -o reports/sums""",
)


def define_magics(shell: Any) -> None:
    """Define the magics in an IPython shell."""

    @no_var_expand
    def profile(line: str, cell: str | None = None) -> None:
        """Profile a statement, or with %% the cell: `%profile --help`."""
        with _one_line("profile"):
            _profile(shell, line, cell)

    @no_var_expand
    def bench(line: str, cell: str = "") -> None:
        """Compare the variants in the cell: `%bench --help`."""
        with _one_line("profile", "bench"):
            _bench(shell, line, cell)

    shell.register_magic_function(profile, "line_cell")
    shell.register_magic_function(bench, "line_cell")


@contextmanager
def _one_line(*extras: str) -> Iterator[None]:
    """Let what a user can correct end the cell with one line, and not with a traceback."""
    try:
        yield
    except Exception as error:
        is_of_cell = hasattr(error, "_render_traceback_")
        if isinstance(error, click.exceptions.Exit) and not is_of_cell:  # --help
            return
        line = None if is_of_cell else _line_of(error, extras)
        if line is None:
            raise
        raise UsageError(line) from None


def _line_of(error: Exception, extras: Sequence[str]) -> str | None:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, WorkbenchError):
        return error_text(error)
    return missing_extra(error, *extras) if isinstance(error, ModuleNotFoundError) else None


def _split(command: click.Command, line: str) -> tuple[list[str], str]:
    """Return the options at the beginning of a line, and the rest as it is."""
    with_value = {
        name
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
        for name in option.opts
    }
    words: list[str] = []
    wants_value = False
    while (word := _WORD.match(line)) and (wants_value or word[1].startswith("-")):
        line = line[word.end() :]
        if word[1] == "--":
            break
        words.append(word[1].strip("\"'"))
        wants_value = not wants_value and word[1] in with_value
    return words, line.strip()


def _number(shell: Any) -> int:
    """Return the number of the cell that runs; `execution_count` is that of the next one since IPython 9."""
    return int(shell.displayhook.prompt_count)


def _profile(shell: Any, line: str, cell: str | None) -> None:
    from workbench.report.profile.profiled import profiled

    words, rest = _split(_PROFILE, line)
    if cell is not None:
        words += rest.split()
    options = _PROFILE.make_context(_PROFILE.name, words).params
    name = options["name"] or f"cell-{_number(shell)}"
    if cell is None and not rest:
        raise click.UsageError("nothing to profile: write %profile STATEMENT, or %%profile above a cell")
    if "/" in name or name.startswith("."):
        raise click.UsageError(f"{name} is no name of a profile: name a folder with -o")
    codes = _compiled(shell, rest if cell is None else cell)
    native = options["native"] is not False
    folder = options["output"] or Path("profiles", name)
    _run_profiled(shell, codes, profiled(folder, rate=options["rate"], native=native, title=name))


def _bench(shell: Any, line: str, cell: str) -> None:
    from workbench.bench.run.cell import run_cell
    from workbench.bench.run.experiment import BenchOptions
    from workbench.report.bench.notebook import bench_output

    words, rest = _split(_BENCH, line)
    options = _BENCH.make_context(_BENCH.name, [*words, *rest.split()]).params
    now = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    wanted = BenchOptions(
        "",
        options["output"] or Path("reports", now),
        budget_s=options["budget"],
        rounds=options["rounds"],
        precision=options["precision"],
        delta=options["delta"],
        seed=options["seed"],
        timeout_s=options["timeout"],
        profiled=not options["no_profile"],
    )
    name = options["name"] or f"cell-{_number(shell)}"
    with _shown_progress(shell) as (advance, show):
        results = run_cell(cell, name, wanted, progress=bench_command.showing(advance), say=say)
        show(bench_output(results))


@contextmanager
def _shown_progress(shell: Any) -> Iterator[tuple[Advance, Callable[[object], object]]]:
    """Give what shows progress, and what shows the result: in a notebook in the place of the progress."""
    if not hasattr(shell, "kernel"):
        with progress("measuring") as advance:
            yield advance, display
        return
    handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
    is_shown = False

    def put(shown: object, **how: bool) -> None:
        nonlocal is_shown
        (handle.update if is_shown else handle.display)(shown, **how)
        is_shown = True

    def show(done: float, total: float | None, now: str) -> None:
        share = f"{done / total:.0%}, " if total else ""
        put({"text/plain": f"measuring: {share}{now}"}, raw=True)

    yield show, put


def _compiled(shell: Any, source: str) -> list[CodeType]:
    """Return the code of a cell as IPython compiles it: the last expression is displayed.

    Raises:
        SyntaxError: It is no Python code.
        click.UsageError: It awaits outside a function.
    """
    transformed = shell.transform_cell(source)
    file = shell.compile.cache(transformed, _number(shell), source)
    body = shell.transform_ast(shell.compile.ast_parse(transformed, file)).body
    last = [ast.Interactive(body[-1:])] if body and isinstance(body[-1], ast.Expr) else []
    parts: list[tuple[Any, str]] = [(ast.Module(body[: len(body) - len(last)], []), "exec")]
    parts += [(part, "single") for part in last]
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
        codes = [shell.compile(part, file, mode) for part, mode in parts]
    if any(code.co_flags & inspect.CO_COROUTINE for code in codes):
        raise click.UsageError(
            'the cell awaits outside a function: profile it by `with workbench.profiled("profiles/NAME"):`'
        )
    return codes


def _run_profiled(shell: Any, codes: Sequence[CodeType], block: Any) -> None:
    """Run a cell, show its profile also where it fails, and let its error go on without our frames."""
    run = _entered(block)
    error: BaseException | None = None
    try:
        for code in codes:
            exec(code, shell.user_global_ns, shell.user_ns)  # noqa: S102  the user's own cell
    except BaseException as raised:  # noqa: BLE001  raised again below
        error = raised
    traceback = None if error is None else error.__traceback__
    block.__exit__(None if error is None else type(error), error, traceback)
    if run.page is not None:
        display(run)  # type: ignore[no-untyped-call]
    if error is None:
        return
    inside = None if traceback is None else traceback.tb_next
    with suppress(AttributeError, TypeError):  # an exception that takes no attribute has a longer traceback
        error._render_traceback_ = lambda: shell.InteractiveTB.structured_traceback(  # type: ignore[attr-defined]
            type(error), error, inside, tb_offset=0
        )
    raise error


def _entered(block: Any) -> Any:
    """Enter a block from below `_run_profiled`, so that its frames are around the block, too."""
    return block.__enter__()
