"""`workbench agent-guide`: a short guide for AI coding agents."""

from __future__ import annotations

from importlib import resources

import click

from workbench.cli._settings import HELP

EPILOG = """\b
Example:
  workbench agent-guide >>AGENTS.md
"""


@click.command("agent-guide", context_settings=HELP, epilog=EPILOG)
def command() -> None:
    """Print a short guide for AI coding agents: profile, show, change, compare."""
    click.echo(
        resources.files("workbench.cli").joinpath("agent_guide.md").read_text(encoding="utf-8"), nl=False
    )
