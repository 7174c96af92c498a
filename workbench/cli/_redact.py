"""The option `--redact`, and what this machine knows of itself."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.errors import InvalidInputError

if TYPE_CHECKING:
    from workbench.profile import Redaction

TEXT = "Replace user names, home paths, hosts and command-line values by user-1, host-1, value-1."


def redact_option(more: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the option to a command."""
    return click.option("--redact", is_flag=True, help=f"{TEXT}{more}")


def redaction() -> Redaction:
    """Return a redaction that knows this machine's user, home and host."""
    from workbench.profile import Redaction

    user = home = ""
    with suppress(
        KeyError, OSError, RuntimeError
    ):  # there may be neither a variable nor an entry of the user
        user, home = getpass.getuser(), str(Path.home())
    return Redaction(users=[user], homes=[home], hosts=[os.uname().nodename])


def refuse_experiment(path: Path) -> None:
    """Say that experiments are not redacted."""
    raise InvalidInputError(f"{path} is an experiment, and only profiles are redacted: leave --redact out")
