"""`workbench doctor`: what is installed, and what can be used here."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli._progress import OPTIONS, error_text, progress
from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError
from workbench.extras import DISTRIBUTION, missing_extra

if TYPE_CHECKING:
    from workbench.bench.machine.calibration import Calibration


@click.command(
    context_settings=HELP,
    epilog="""\b
Examples:
  workbench doctor
  workbench doctor --brief               prints nothing if all is well
  workbench doctor --json
  workbench doctor --calibrate           once for each machine, 10 seconds: run nothing else meanwhile""",
)
@click.option(
    "--calibrate", is_flag=True, help="Measure what this machine can do, for rooflines, and store it."
)
@click.option("--brief", is_flag=True, help="Print only what is missing or slow.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(calibrate: bool, brief: bool, as_json: bool) -> None:
    """Print what is installed, and what workbench can use here."""
    from workbench.bench.machine.environment import environment

    if calibrate:
        _calibrate(brief, as_json)
        return
    facts = findings()
    if as_json:
        rates = {"calibration": _known_rates()}
        click.echo(json.dumps(environment() | {"findings": facts} | rates, indent=1))
        return
    if not brief:
        for name, value in environment().items():
            named = value.items() if isinstance(value, dict) else ()
            text = ", ".join(f"{k} {v or 'not installed'}" for k, v in named) or value
            click.echo(f"{name.replace('_', ' '):13} {text}")
    for finding in facts:
        if not brief or not finding["fine"]:
            click.echo(f"{'ok' if finding['fine'] else 'note':13} {finding['text']}")


def findings() -> list[dict[str, object]]:
    """Return what was found, each with whether it is fine; the text of what is not says the remedy."""
    return [_packages(), _recorder(), _kernels(), _sampler(), _tracing(), _calibration()]


def _packages() -> dict[str, object]:
    from workbench.bench.machine.environment import PACKAGES, version
    from workbench.capture.pyinstrument_session import NEWEST

    too_new = {"pyinstrument"} if sys.version_info[:2] > NEWEST else set()
    missing = [name for name in PACKAGES if version(name) is None and name not in too_new]
    if version("workbench") is not None:
        text = (
            "packages: another package named workbench is installed, whose files and command are in the way: "
            f"pip uninstall workbench, then pip install --force-reinstall {DISTRIBUTION}"
        )
        return {"fine": False, "text": text}
    if not missing:
        return {"fine": True, "text": "packages: all that workbench uses are installed"}
    return {"fine": False, "text": f"packages: not installed: pip install {' '.join(missing)}"}


def _recorder() -> dict[str, object]:
    from workbench.scopes import engine

    cost = _scope_cost()
    if engine.name == "native":
        return {"fine": True, "text": f"recorder: native; {cost}"}
    if os.environ.get(engine.VARIABLE) == "python":
        remedy = f"{engine.VARIABLE}=python asks for it: unset that for the native one"
    elif engine.refused:
        remedy = f"the native one cannot serve: {engine.refused}"
    else:
        remedy = _compile_it()
    return {"fine": False, "text": f"recorder: in Python, several times slower than native; {cost}; {remedy}"}


def _scope_cost() -> str:
    from workbench.scopes import engine, scope_cost

    if engine.open_scopes() is not None:  # its scopes would not be recorded while we measure
        return "the cost of a scope is in the recording that is active here"
    return f"a scope costs {float(scope_cost.measure()['parent_ns']):.0f} ns here"


def _compile_it() -> str:
    if shutil.which("cc") or shutil.which("gcc") or shutil.which("clang"):
        return "install workbench again to compile it (pip says why with -v)"
    return "install a C compiler (gcc) and workbench again"


def _kernels() -> dict[str, object]:
    try:
        from workbench.trainer import kernels
        from workbench.trainer.network import passes
    except ModuleNotFoundError as error:
        return {"fine": True, "text": f"trainer: not installed: {missing_extra(error, 'trainer')}"}
    if kernels.implementation("fast") != "compiled":
        return {"fine": False, "text": f"fast tanh: NumPy versions, slower than np.tanh; {_compile_it()}"}
    if not passes.are_compiled():
        return {"fine": False, "text": f"fast tanh: compiled, but derivatives in NumPy; {_compile_it()}"}
    return {"fine": True, "text": "fast tanh and derivatives: compiled"}


def _sampler() -> dict[str, object]:
    from workbench.capture.samplers import ORDER, Sampling, make_sampler
    from workbench.capture.samplers.base import Request
    from workbench.capture.warnings import cause_text

    refused: list[str] = []
    for name in ORDER:
        why = make_sampler(name, Request("", Path(), Sampling(native=False))).why_not()
        if why is None:
            serves = f"{'; '.join(refused)}; until then {name} serves" if refused else name
            return {"fine": not refused, "text": f"sampler: {serves}"}
        refused.append(cause_text(why, OPTIONS.__getitem__))
    return {"fine": False, "text": f"sampler: {'; '.join(refused)}"}


def _tracing() -> dict[str, object]:
    try:
        mode = int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text())
    except (OSError, ValueError):
        mode = 0
    if os.geteuid() == 0 or mode == 0:
        return {"fine": True, "text": "tracing: not restricted"}
    if mode == 1:
        return {
            "fine": True,
            "text": "tracing: kernel.yama.ptrace_scope is 1; programs that `workbench profile` starts, and "
            "their workers that import workbench, allow it themselves",
        }
    return {
        "fine": False,
        "text": f"tracing: kernel.yama.ptrace_scope is {mode}: py-spy needs root, or 1 or 0 there",
    }


def _calibration() -> dict[str, object]:
    from workbench.bench.machine import calibration

    try:
        known = calibration.load()
    except InvalidInputError as error:
        return {"fine": False, "text": error_text(error)}
    if known is None:
        text = "calibration: none; workbench doctor --calibrate measures what rooflines of this machine need"
        return {"fine": True, "text": text}
    rates = ", ".join(
        f"{what} {' / '.join(_figure(known, what, threads) for threads in known.threads())} {unit}"
        for what, unit in calibration.UNITS.items()
    )
    when = known.measured.astimezone().strftime("%Y-%m-%d %H:%M")
    threads = " / ".join(map(str, known.threads()))
    noun = "thread" if threads == "1" else "threads"
    text = f"calibration: {rates} with {threads} {noun}; measured {when} at load {known.load:.1f}"
    return {"fine": True, "text": text}


def _figure(known: Calibration, what: str, threads: int) -> str:
    rate = known.rate(what, threads)
    return "–" if rate is None else f"{rate.median:.3g}"


def _known_rates() -> dict[str, object] | None:
    """Return the calibration, where there is one that can be read."""
    from workbench.bench.machine import calibration

    with contextlib.suppress(InvalidInputError):
        known = calibration.load()
        return None if known is None else calibration.as_json(known)
    return None


def _calibrate(brief: bool, as_json: bool) -> None:
    """Measure this machine, keep it, and say what was found."""
    from workbench.bench.machine import calibration, rates

    calibration.make_state_folder()  # a folder that cannot be written is an error before the measurement
    with progress("calibrating") as advance:
        found = rates.measure(advance=advance)
    path = calibration.save(found)
    if as_json:
        document = calibration.as_json(found) | {"file": str(path), "warnings": found.warnings()}
        click.echo(json.dumps(document, indent=1))
        return
    if not brief:
        click.echo(f"{'machine':13} {found.machine}; load {found.load:.1f}")
        for rate in found.rates:
            threads = f"{rate.threads} {'thread' if rate.threads == 1 else 'threads'}"
            click.echo(
                f"{rate.what:13} {rate.median:7.3g} [{rate.low:.3g}, {rate.high:.3g}] "
                f"{calibration.UNITS[rate.what]}, {threads}, {rate.repetitions} repetitions"
            )
        click.echo(f"{'kept in':13} {_short(str(path))}")
    for text in found.warnings():
        click.echo(f"{'note':13} {text}")


def _short(path: str) -> str:
    home = str(Path.home())
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path
