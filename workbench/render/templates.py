"""The templates of pages and SVG files: one way to fill them, compiled once for each version of them."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from pickle import UnpicklingError

import jinja2
from jinja2.bccache import Bucket

from workbench.system import cache_folder

HERE = Path(__file__).parent


class TemplateCache(jinja2.BytecodeCache):
    """Compiled templates in this user's cache: compiling those of a profile's page takes longer than filling them.

    A compiled template is code. So the folder is used only if nobody else may write to it, as Python does with its own.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a bucket; one of another template, Python or Jinja stays empty."""
        if self._folder is None or not self._is_ours(self._folder):
            return
        try:
            with (self._folder / bucket.key).open("rb") as file:
                bucket.load_bytecode(file)
        except (OSError, EOFError, ValueError, TypeError, UnpicklingError):
            bucket.reset()  # it is missing, or damaged

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a bucket, if the cache can be written."""
        if self._folder is None:
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._is_ours(self._folder):
                part = self._folder / f"{bucket.key}.{os.getpid()}"
                part.write_bytes(bucket.bytecode_to_string())
                part.replace(self._folder / bucket.key)

    @staticmethod
    def _is_ours(folder: Path) -> bool:
        try:
            facts = folder.stat()
        except OSError:
            return False
        return not hasattr(os, "getuid") or (facts.st_uid == os.getuid() and not facts.st_mode & 0o022)


@cache
def template_cache() -> TemplateCache:
    """Return the cache of this user."""
    return TemplateCache(cache_folder(f"templates-{jinja2.__version__}"))


@cache
def environment() -> jinja2.Environment:
    """Return what fills the templates of SVG files: escaping is on, and an undefined name is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=template_cache(),
    )
