"""Options in groups, for a command that has many: the help lists them under headings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_WIDTH = 20


class Grouped(click.Command):
    """A command whose `--help` shows the options group by group, in the order in which groups first appear."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", "Help"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                # Short ones are as wide as long ones, so that the text of all groups begins in one column.
                formatter.write_dl([(names.ljust(_WIDTH), text) for names, text in records])


class _Option(click.Option):
    def __init__(self, *names: Any, group: str, **options: Any) -> None:
        super().__init__(*names, **options)
        self.group = group


def option(
    group: str, *names: str, default: Any = None, text: str, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option to a group. A default is shown as `text` shows it: 1e+10, and 20,20,10."""
    if isinstance(default, float | int) and not isinstance(default, bool):
        options = {"metavar": "X" if isinstance(default, float) else "N"} | options
    shown = _told(default, names)
    help_text = f"{text} [default: {shown}]" if shown else text
    return click.option(*names, cls=_Option, group=group, default=default, help=help_text, **options)


def _told(default: Any, names: tuple[str, ...]) -> str:
    if isinstance(default, bool):
        switch = names[0].partition("/")[0].lstrip("-")
        return switch if default else ""
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "" if default is None else str(default)
