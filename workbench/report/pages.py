"""Filling the HTML templates: one environment, escaping on, and the filters that pages share."""

from __future__ import annotations

import base64
import html
import re
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

import workbench
from workbench.records import read_inside
from workbench.render.policy import content_security_policy
from workbench.render.scripts import joined_script
from workbench.render.templates import HERE
from workbench.text import (
    as_milliseconds,
    as_number,
    as_rough_share,
    as_sampled_share,
    as_scientific,
    as_size,
)

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("workbench.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


PNG = b"\x89PNG\r\n\x1a\n"
"""What a PNG begins with."""
MAX_IMAGE = 16 << 20
"""Bytes of a chart that a page takes in."""
_POLICY = "the policy of this page"
"""Stands in the first element of the head, before anything that a page is filled with."""


def render(template: str, **values: object) -> str:
    """Return a template filled with values, all of which are escaped unless they are markup.

    The page says what it is made of in a Content-Security-Policy: its own scripts and styles by their hashes,
    charts from its own text and from beside it, and nothing else.
    """
    page = _ENVIRONMENT.get_template(template).render(
        {"policy": _POLICY, "version": workbench.__version__, **values}
    )
    policy = content_security_policy(page, img_src="'self' data:")
    return page.replace(_POLICY, str(Markup.escape(policy)), 1)


_STYLED = re.compile(r"<[A-Za-z][^<>]*?\sstyle=\"[^\"]*\"[^<>]*>")


def without_style_attributes(svg: str, prefix: str) -> str:
    """Return a plot with classes in place of style attributes, which a page's policy forbids.

    Args:
        svg: A plot of `workbench.render.plots`: its root has the id `prefix`.
        prefix: Start of the names of the classes.
    """
    classes: dict[str, str] = {}

    def moved(match: re.Match[str]) -> str:
        tag = match[0]
        style = re.search(r"\sstyle=\"([^\"]*)\"", tag)
        assert style is not None
        name = classes.setdefault(html.unescape(style[1]), f"{prefix}-c{len(classes)}")
        tag = tag.replace(style[0], "", 1)
        if ' class="' in tag:
            return tag.replace(' class="', f' class="{name} ', 1)
        return re.sub(r"^<([A-Za-z]+)", rf'<\1 class="{name}"', tag)

    body = _STYLED.sub(moved, svg)
    # Two classes weigh more than the one rule for all elements that matplotlib writes.
    rules = "".join(f"#{prefix} .{name}{{{style}}}\n" for style, name in classes.items())
    head, end, rest = body.partition("</svg>")
    return f"{head}<style>{rules}</style>{end}{rest}" if classes else svg


@cache
def script(*names: str) -> Markup:
    """Return scripts of pages or charts as one function."""
    folders = (Path(__file__).parent / "templates", HERE)
    return joined_script([next(f / name for f in folders if (f / name).is_file()) for name in names])


def inline_plot(svg: str) -> Markup:
    """Return a plot as it stands in a page."""
    root = re.search(r"<svg id=\"([A-Za-z][A-Za-z0-9_-]*)\"", svg)
    assert root is not None
    return Markup(without_style_attributes(svg, root[1]))


def image_data(folder: Path, name: str) -> Markup | None:
    """Return a PNG in a folder as a data URL, so that a page needs no other file; None where there is none."""
    content = read_inside(folder, name, MAX_IMAGE)
    if content is None or not content.startswith(PNG):
        return None
    return Markup("data:image/png;base64,") + base64.b64encode(content).decode()


_ENVIRONMENT.filters.update(
    rough_share=as_rough_share,
    sampled_share=as_sampled_share,
    scientific=as_scientific,
    milliseconds=as_milliseconds,
    number=as_number,
    size=as_size,
)
