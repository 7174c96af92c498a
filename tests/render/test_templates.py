"""Compiled templates are kept in the user's cache, and a cache that is of no use is none."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from workbench.render.templates import TemplateCache


def filled(cache: TemplateCache, text: str) -> str:
    """Return a template that a new environment fills."""
    loader = jinja2.FunctionLoader(lambda name: (text, "/templates/page.html", None))
    return jinja2.Environment(loader=loader, bytecode_cache=cache).get_template("page.html").render(x=3)


def test_a_template_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled is read again, by another process too; a changed template is compiled again."""
    folder = tmp_path / "cache"
    assert filled(TemplateCache(folder), "x is {{ x }}") == "x is 3"
    assert folder.stat().st_mode & 0o077 == 0
    with monkeypatch.context() as patched:
        patched.setattr(jinja2.Environment, "compile", None)
        assert filled(TemplateCache(folder), "x is {{ x }}") == "x is 3"
    assert filled(TemplateCache(folder), "y is {{ x }}") == "y is 3"


@pytest.mark.parametrize("what", ["others may write", "a file", "damaged", "nowhere"])
def test_a_cache_that_cannot_be_used(tmp_path: Path, what: str) -> None:
    """A folder that others may write to, or that is none, is left alone; damaged files are replaced."""
    folder = tmp_path / "cache"
    if what == "others may write":
        folder.mkdir()
        folder.chmod(0o777)
    elif what == "a file":
        folder.write_text("")
    elif what == "damaged":
        filled(TemplateCache(folder), "x is {{ x }}")
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes()[:20])
    assert filled(TemplateCache(None if what == "nowhere" else folder), "x is {{ x }}") == "x is 3"
    if what == "others may write":
        assert list(folder.iterdir()) == []
