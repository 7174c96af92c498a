"""The templates and scripts of the SVG files, from the folders of this package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent


@cache
def environment() -> jinja2.Environment:
    """Return what fills the templates: escaping is on, and an undefined name is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )


def joined_script(files: Sequence[Path]) -> Markup:
    """Return scripts as one function, so that they define no global name."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return Markup('\n(function () {\n"use strict";\n' + text + "})();\n")  # noqa: S704 - our own files
