"""Suites: what a user writes works first time, and each mistake has a clear line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.bench import Case, Curve, Suite, axis, load_suite
from workbench.bench.design.axes import chosen_variants
from workbench.bench.design.suite import folder_names
from workbench.bench.run.experiment import BenchOptions, planned, run_suite
from workbench.errors import InvalidInputError

HEAD = "from workbench.bench import Case, Suite, axis\n"
AXES = HEAD + "suite = Suite('s', baseline={baseline})\n@suite.workload({axes})\ndef f(**options): ...\n"


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
        (
            HEAD + "suite = Suite('s', baseline='A/A control', variants={'A/A control': {}})\n",
            "'A/A control' is no name",
        ),
        (HEAD + "suite = Suite('s', baseline='a')\n", "has no variants: list at least the baseline"),
        (
            HEAD + "suite = Suite('s', baseline={'x': 1}, variants={'a': {}})\n",
            "its baseline is one of their names",
        ),
        (AXES.format(baseline="{'x': 1}", axes=""), "unknown axis of the baseline 'x'"),
        (AXES.format(baseline="{'x': 1}", axes="xs=axis(1)"), "did you mean 'xs'"),
        (AXES.format(baseline="{'x': 1}", axes="x=axis(1), y=axis(2)"), "says nothing of the axis 'y'"),
        (AXES.format(baseline="{'x': 'exat'}", axes="x=axis('exact')"), "did you mean 'exact'"),
        (AXES.format(baseline="{'x': 1}", axes="x=(1, 2)"), "write axis\\('a', 'b'\\)"),
        (AXES.format(baseline="{'x': 1}", axes="x=axis()"), "has no options"),
        (AXES.format(baseline="{'x': 1}", axes="x=axis(1, 1)"), "two options named '1'"),
        (
            HEAD + "suite = Suite('s', baseline={'x': 1})\n@suite.workload\ndef f(x, *, seed): ...\n",
            "no axes",
        ),
        (
            HEAD + "suite = Suite('s', baseline='a', variants={'a': {}}, targets=['low'])\n",
            "target 'low' is no number",
        ),
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


PACKAGED = """
from importlib.resources import files
from workbench.bench import Case, Suite
from ..core import total
suite = Suite("packaged", variants={"one": {}})
@suite.workload
def w(*, seed):
    n = int((files(__package__) / "n.txt").read_text())
    return Case(run=lambda: total(range(n)), quality=lambda result: {"sum": result})
"""


@pytest.mark.parametrize("by_file", [True, False])
def test_a_suite_in_a_package_is_imported_as_part_of_it(
    tmp_path: Path, options: Callable[..., BenchOptions], monkeypatch: pytest.MonkeyPatch, by_file: bool
) -> None:
    """Relative imports and data files work, by the file and by the module's name, here and in runs."""
    package = tmp_path / f"packaged_{by_file}"
    for name, text in {
        "__init__.py": "", "core.py": "def total(values): return sum(values)", "bench/__init__.py": "",
        "bench/suite.py": PACKAGED, "bench/n.txt": "99999",
    }.items():  # fmt: skip
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    name = str(package / "bench" / "suite.py") if by_file else f"{package.name}.bench.suite"
    runs = run_suite(options(name)).runs
    assert {(run.error, run.quality.get("sum")) for run in runs} == {(None, sum(range(99999)))}


def test_neighbours_take_no_standard_modules_place(
    write_suite: Callable[..., Path], options: Callable[..., BenchOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files named like standard modules beside a suite, also where we are, change nothing in runs or here."""
    suite = write_suite("import statistics, queue\nreturn Case(run=lambda: statistics.mean([1, 2, 3]))")
    for name in ("statistics", "json", "random", "queue"):
        suite.with_name(f"{name}.py").write_text("raise OSError('the neighbour')")
    monkeypatch.chdir(suite.parent)
    assert {run.error for run in run_suite(options(suite)).runs} == {None}
    suite.write_text("from queue import mine\n")
    with pytest.raises(InvalidInputError, match=r"queue\.py beside it has the name of a standard module"):
        load_suite(str(suite))


def test_only_the_chosen_combinations_are_counted(write_suite: Callable[..., Path]) -> None:
    """Axes of many combinations are no mistake where the choice, or the plan, leaves few enough."""
    axes = ", ".join(f"{name}=axis('x', 'y', 'z')" for name in "abcdefghijkl")
    head = f"{HEAD}suite = Suite('s')\n@suite.workload({axes})\ndef f(**options): ...\n"
    suite = load_suite(str(write_suite("", head=head)))
    with pytest.raises(InvalidInputError, match="531441 variants, more than 200: choose some options"):
        chosen_variants(suite.variants, suite.baseline, {})
    assert len(chosen_variants(suite.variants, suite.baseline, {}, "one-at-a-time")) == 25
    few = dict.fromkeys("cdefghijkl", ("x",)) | {"a": ("x", "y")}
    chosen = chosen_variants(suite.variants, suite.baseline, few)
    assert chosen[1:] == ["b=y", "b=z", "a=y", "a=y, b=y", "a=y, b=z"]
    assert suite.variants["a=y, b=z"] == dict.fromkeys("abcdefghijkl", "x") | {"a": "y", "b": "z"}
    assert "b=z, a=y" not in suite.variants


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


def test_more_combinations_than_fit_a_number(write_suite: Callable[..., Path]) -> None:
    """What cannot be counted by `len` is refused, or chosen from, as any other."""
    axes = ", ".join(f"{name}=axis(*range(20))" for name in "abcdefghijklmnopqrst")
    head = f"{HEAD}suite = Suite('s')\n@suite.workload({axes})\ndef f(**options): ...\n"
    suite = load_suite(str(write_suite("", head=head)))
    with pytest.raises(InvalidInputError, match=r"1[0-9]{26} variants, more than 200"):
        chosen_variants(suite.variants, suite.baseline, {})
    few = dict.fromkeys("bcdefghijklmnopqrst", ("0",)) | {"a": ("0", "1")}
    assert len(chosen_variants(suite.variants, suite.baseline, few)) == 2


def test_axes_make_every_combination() -> None:
    """Variants are named by what differs from the baseline, which comes first; options keep their type."""
    suite = Suite("s", baseline={"tanh": "exact", "rows": 10, "work": "serial"})

    @suite.workload(tanh=axis("fast", "exact"), rows=axis(10, 1000), work=axis(serial=None, two=2))
    def workload(tanh: str, rows: int, work: int | None, *, seed: int) -> Case:
        assert (tanh, rows, work, seed) == ("fast", 1000, 2, 7)
        return Case(run=int, quality=lambda result: {})

    assert suite.baseline == "tanh=exact, rows=10, work=serial"
    assert list(suite.variants) == [
        suite.baseline,
        "tanh=fast",
        "tanh=fast, work=two",
        "tanh=fast, rows=1000",
        "tanh=fast, rows=1000, work=two",
        "work=two",
        "rows=1000",
        "rows=1000, work=two",
    ]
    suite.case("tanh=fast, rows=1000, work=two", 7)


def test_the_clock_stands_while_quality_is_evaluated() -> None:
    """A curve's seconds leave out what its evaluations took; beginning anew forgets the points."""
    now = [100.0]
    curve = Curve(clock=lambda: now[0])

    def evaluate() -> float:
        now[0] += 50.0
        return 0.5

    for _ in range(2):
        curve.start()
        now[0] += 1.0
        curve.point(evaluate)
        now[0] += 2.0
        curve.point(0.25)
        assert curve.points == [(1.0, 0.5), (3.0, 0.25)]
        assert curve.stopped_s == 50.0


def test_a_program_may_time_itself() -> None:
    """What another program measured takes the place of the clock: its seconds are what is left of the run's."""
    now = [100.0]
    curve = Curve(clock=lambda: now[0])
    curve.start()
    now[0] += 9.0
    curve.measured(2.0, [(1.0, 0.5), (2.0, 0.25)])
    assert now[0] - 100.0 - curve.stopped_s == 2.0
    assert curve.points == [(1.0, 0.5), (2.0, 0.25)]


def test_what_cannot_run_here_is_left_out(write_suite: Callable[..., Path], tmp_path: Path) -> None:
    """Unavailable variants are no variants, each has a line with the reason, and to ask for one is an error."""
    head = """
from workbench.bench import Case, Suite
variants = {"ours": {"how": "own"}, "theirs": {"how": "library"}, "third": {"how": "own"}}
suite = Suite("peers", variants=variants, unavailable={"theirs": "not installed"})
"""
    path = str(write_suite("return Case(run=lambda: sum(range(100_000)))", head=head))
    options = BenchOptions(path, tmp_path / "run", rounds=1, profiled=False)
    said: list[str] = []
    assert run_suite(options, say=said.append).variants == ["ours", "third"]
    assert said == ["theirs is left out: not installed"]
    with pytest.raises(InvalidInputError, match=r"^theirs is left out: not installed$"):
        planned(replace(options, axes={"how": ("library",)}))
    assert "theirs is left out: not installed" not in planned(replace(options, axes={"how": ("own",)}))
    with pytest.raises(
        InvalidInputError, match=r"^ours, the baseline of suite 'peers', cannot run here: no GPU"
    ):
        Suite("peers", variants={"ours": {}}, unavailable={"ours": "no GPU"})
