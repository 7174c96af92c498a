"""Suites: what a user writes works first time, and each mistake has a clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.bench import Case, Suite, load_suite
from workbench.bench.suite import folder_names
from workbench.errors import InvalidInputError

HEAD = "from workbench.bench import Case, Suite\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def broken(:\n", r"cannot be imported: SyntaxError: .*line 1"),
        (
            "x = 1\nimport no_such_module_at_all\n",
            r"ModuleNotFoundError: .*no_such_module_at_all.*\(line 2\)",
        ),
        ("import sys\nsys.exit(3)\n", r"cannot be imported: SystemExit: 3 \(line 2\)"),
        ("\x00", "cannot be imported"),
        ("suite = 3\n", "has no suite: define"),
        ("", "has no suite: define"),
        (HEAD + "suite = Suite('s', baseline='a', variants={'a': {}})\n", "has no workload: decorate"),
        (HEAD + "suite = Suite('s', baseline='exat', variants={'exact': {}})\n", "did you mean 'exact'"),
        (HEAD + "suite = Suite('s', baseline='a', variants={})\n", "has no variants"),
        (HEAD + "suite = Suite('s', baseline=1, variants={1: {}})\n", "1 is no name"),
        (HEAD + "suite = Suite('s', baseline=' ', variants={' ': {}})\n", "' ' is no name"),
    ],
)
def test_wrong_suites_each_have_a_clear_line(tmp_path: Path, text: str, complaint: str) -> None:
    """What is wrong with a suite's file is said in one line, with the place and the remedy."""
    path = tmp_path / "wrong_suite.py"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        load_suite(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no_such_file.py", "does not exist: name a Python file, or reference"),
        ("refrence", "did you mean 'reference'"),
        ("suite.txt", "ends with .py"),
    ],
)
def test_a_suite_that_is_not_there_is_named(name: str, complaint: str) -> None:
    """A wrong name or path says what can be named."""
    with pytest.raises(InvalidInputError, match=complaint):
        load_suite(name)


@pytest.mark.parametrize("name", ["json.py", "numpy.py", "statistics.py"])
def test_a_suite_does_not_take_the_place_of_a_module(good_suite: Path, name: str) -> None:
    """A file named like a module that programs import is refused, before it can shadow that module."""
    path = good_suite.rename(good_suite.with_name(name))
    with pytest.raises(InvalidInputError, match="rename it"):
        load_suite(str(path))


def test_a_suite_may_be_loaded_again_and_from_another_folder(good_suite: Path, tmp_path: Path) -> None:
    """Loading is not once for all: the same file again, or one of the same name elsewhere, is that file."""
    assert load_suite(str(good_suite)).name == "tiny"
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / good_suite.name
    other.write_text(good_suite.read_text().replace('"tiny"', '"other"'))
    assert load_suite(str(other)).name == "other"
    assert load_suite(str(good_suite)).name == "tiny"


def test_a_case_is_set_up_with_the_variants_options_and_the_seed() -> None:
    """The workload is called with the options and a keyword `seed`; a wrong variant or result is named."""
    suite = Suite("s", baseline="a", variants={"a": {"x": 1}, "b": {"x": 2}})
    with pytest.raises(InvalidInputError, match="has no workload"):
        suite.case("a", 0)
    seen = []

    @suite.workload
    def workload(x: int, *, seed: int) -> Case:
        seen.append((x, seed))
        return Case(run=int, quality=lambda result: {}) if x == 1 else 7  # type: ignore[return-value]

    assert isinstance(suite.case("a", 5), Case)
    assert seen == [(1, 5)]
    with pytest.raises(InvalidInputError, match="returned int: return a Case"):
        suite.case("b", 5)
    with pytest.raises(InvalidInputError, match="unknown variant 'c'"):
        suite.case("c", 5)


def test_folders_of_variants_are_safe_and_their_own() -> None:
    """Names with slashes, dots or signs give folders inside the run's, and no two variants share one."""
    names = ["a/b", "../../etc", "A b", "a b", "π", "…", "x" * 300, "", "con<script>", "a-b"]
    folders = folder_names(names)
    assert len(set(folders.values())) == len(names)
    assert all(name and len(name) < 80 and name.replace("-", "").isalnum() for name in folders.values())
    assert folders["a/b"] == "a-b"


def test_helper_modules_beside_a_suite_can_be_imported(write_suite: Callable[..., Path]) -> None:
    """A suite may import what lies in its own folder."""
    path = write_suite(
        "return beside.case()",
        head=(
            "import beside_the_suite as beside\nfrom workbench.bench import Suite\n"
            "suite = Suite('s', baseline='a', variants={'a': {'how': 1}})\n"
        ),
    )
    (path.parent / "beside_the_suite.py").write_text(
        "from workbench.bench import Case\ncase = lambda: Case(run=int, quality=lambda r: {})\n"
    )
    assert isinstance(load_suite(str(path)).case("a", 0), Case)
