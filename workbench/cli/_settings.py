"""What all subcommands share."""

from __future__ import annotations

from typing import Any

HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
"""Context settings of a command. Stated for each: one that is called by itself inherits none."""
