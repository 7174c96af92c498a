"""What README, CONTRIBUTING and docs/ name exists: files, links, modules, commands and their options."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import click
import pytest

from tests.docs.pages import PAGES, ROOT, blocks, commands, inline_code
from workbench.cli.group import COMMANDS

EVERYWHERE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def words(page: Path) -> set[str]:
    """Return the words of all code on a page."""
    code = [*inline_code(page), *(block.text for block in blocks(page))]
    return {word for text in code for word in re.split(r"[\s()\[\]{}'\",;=]+", text)}


@EVERYWHERE
def test_files_exist(page: Path) -> None:
    """A path into the checkout leads to a file or a folder; `*` stands for some."""
    paths = {word for word in words(page) if re.match(r"(workbench|tests|benchmarks|docs)/[\w*./-]+$", word)}
    assert not {path for path in paths if not any(ROOT.glob(path.rstrip("/")))}


@pytest.mark.parametrize("script", ["Makefile", ".ci/run", "tests/sanitize.sh"])
def test_files_of_scripts_exist(script: str) -> None:
    """A path that a script names leads to a file or a folder."""
    text = (ROOT / script).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w$/.])(?:workbench|tests|benchmarks|docs)/[\w/.*\[\]]+(?![\w%$])", text))
    assert named
    assert not {name for name in named if not any(ROOT.glob(name.rstrip("/")))}


def test_files_of_the_architecture_exist() -> None:
    """ARCHITECTURE names files by the end of their path below workbench/."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w*/]+\.(?:py|c)|[\w/]+/)`", text))
    assert len(named) > 40
    assert not {name for name in named if not any((ROOT / "workbench").glob(f"**/{name.rstrip('/')}"))}


@EVERYWHERE
def test_links_lead_somewhere(page: Path) -> None:
    """A link leads to a file, and behind `#` to a heading of it."""
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s:]*)(?:#([^)\s]*))?\)", text) + [
        (source, "") for source in re.findall(r"src(?:set)?=\"([^\":]+)\"", text)
    ]
    for path, anchor in links:
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{path}#{anchor}"


@EVERYWHERE
def test_modules_exist(page: Path) -> None:
    """A dotted name of workbench is a module or what a module has."""
    for name in (word for word in words(page) if re.match(r"workbench(\.\w+)+$", word)):
        pkgutil.resolve_name(name)


@EVERYWHERE
def test_commands_exist(page: Path) -> None:
    """`workbench COMMAND` and `make TARGET` exist, with the options that the page gives them."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = [command for block in blocks(page) for command in commands(block.text)]
    for command in (*shown, *inline_code(page)):
        if made := re.match(r"make ([a-z-]+)$", command):
            assert made[1] in targets, command
        if called := re.search(r"(?:^|run: |^mpiexec.* )workbench ([a-z-]+)\b(.*)", command):
            assert called[1] in COMMANDS, command
            subcommand: click.Command = importlib.import_module(
                f"workbench.cli.{called[1].replace('-', '_')}"
            ).command
            options = {option for parameter in subcommand.params for option in parameter.opts}
            options |= {option for parameter in subcommand.params for option in parameter.secondary_opts}
            given = re.split(r" -- | \S+\.py\b", called[2])[0] if called[1] == "profile" else called[2]
            assert {word for word in given.split() if re.match(r"--?[a-z]", word)} <= options | {"--help"}, (
                command
            )
