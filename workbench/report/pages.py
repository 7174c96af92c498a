"""Filling the HTML templates: one environment, escaping on, and the filters that pages share."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

import workbench
from workbench.render.policy import content_security_policy
from workbench.render.scripts import bundle
from workbench.render.templates import template_cache
from workbench.text import (
    as_milliseconds,
    as_number,
    as_rough_share,
    as_sampled_share,
    as_scientific,
    as_size,
)

TEMPLATES = Path(__file__).parent / "templates"
"""With the scripts of pages."""
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("workbench.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    bytecode_cache=template_cache(),
)


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


def script(entry: str) -> Markup:
    """Return a script of the pages, with all modules that it imports, as one function."""
    return bundle(TEMPLATES / entry)


_ENVIRONMENT.filters.update(
    rough_share=as_rough_share,
    sampled_share=as_sampled_share,
    scientific=as_scientific,
    milliseconds=as_milliseconds,
    number=as_number,
    size=as_size,
)
