"""The command line: one file for each subcommand, loaded when it is used.

Each parses, builds an options object and calls one library function. `group` turns an exception into a line and an
exit code; what is here needs no other package, so that it can name one that is missing.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from workbench.extras import missing_extra

EXTRAS = {
    "bench": ("profile", "bench"),
    "compare": ("profile", "bench"),
    "export": ("profile", "bench"),
    "train": ("profile", "trainer"),
}
"""The extras that a subcommand needs; the others need `profile`."""


def main() -> NoReturn:
    """Run the command line and exit; the codes are those of `workbench.cli.group.run`."""
    try:
        from workbench.cli.group import run

        run()
    except ModuleNotFoundError as error:
        words = [word for word in sys.argv[1:] if not word.startswith("-")]
        line = missing_extra(error, *EXTRAS.get(words[0] if words else "", ("profile",)))
        if line is None:
            raise
    print(f"workbench: {line}", file=sys.stderr)
    sys.exit(2)
