"""What a page must allow in its Content-Security-Policy for the charts inlined in it, and no more."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_STYLE = re.compile(r"<style\b([^>]*)>(.*?)</style\s*>", re.DOTALL | re.IGNORECASE)
_DATA = re.compile(r"\bsrc\s*=|\btype\s*=\s*[\"']?(?:application/|text/(?!javascript))", re.IGNORECASE)


def script_hashes(markup: str) -> list[str]:
    """Return the sources of the scripts in an SVG or in a page, as `sha256-…`, each once, in order.

    All charts that one version of the workbench makes have the same script, so twenty need one hash.
    """
    return _hashes(body for attributes, body in _SCRIPT.findall(markup) if not _DATA.search(attributes))


def style_hashes(markup: str) -> list[str]:
    """Return the sources of the style elements in an SVG or in a page, as `sha256-…`, each once, in order."""
    return _hashes(body for _, body in _STYLE.findall(markup))


def content_security_policy(markup: str, **more: str) -> str:
    """Return the value of a strict Content-Security-Policy: the scripts and styles in the markup, nothing else.

    Args:
        markup: The page or the chart.
        more: Further directives with `_` for `-`, such as `img_src="data:"`.
    """
    directives = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    for name, hashes in (("script-src", script_hashes(markup)), ("style-src", style_hashes(markup))):
        directives[name] = " ".join(f"'{source}'" for source in hashes) or "'none'"
    directives |= {name.replace("_", "-"): value for name, value in more.items()}
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _hashes(bodies: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for body in bodies:
        # What the browser hashes is the element's text, and the marks of a CDATA section are none of it.
        text = body.removeprefix("<![CDATA[").removesuffix("]]>").replace("\r\n", "\n")
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        found["sha256-" + base64.b64encode(digest).decode("ascii")] = None
    return list(found)
