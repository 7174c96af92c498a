"""The page of a bench run: it says no more than the intervals do, and needs no other file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from workbench.bench.results import FILE, Results, read_results
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.report.bench_page import _labels, compare, sentences, write_page
from workbench.report.pages import milliseconds, percent, power, scientific

Make = Callable[..., Results]
BASE = [1.0] * 7


class Elements(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(results: Results) -> Elements:
    return Elements(write_page(results).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0.5] * 7, "2.00× faster [2.00, 2.00]"),
        ([2.0] * 7, "2.00× slower [2.00, 2.00]"),
        ([0.5] * 6 + [1.01], "no clear difference in speed: 2.00× [0.99, 2.00]"),
        ([1.0] * 7, "no clear difference in speed: 1.00× [1.00, 1.00]"),
        ([0.5] * 5, "inconclusive: about 2.00× as fast in 5 rounds; 6 are needed"),
        ([0.5], "inconclusive: about 2.00× as fast in 1 round; 6 are needed"),
        ([0.5] * 6 + ["boom"], "2.00× faster [2.00, 2.00]; failed in 1 of 7 rounds"),
        (
            [0.5] * 5 + ["boom", "bang"],
            "inconclusive: about 2.00× as fast in 5 rounds; 6 are needed; failed in 2 of 7 rounds",
        ),
        (["boom"] * 7, "failed in every round"),
    ],
)  # fmt: skip
def test_faster_and_slower_are_said_only_for_sure(make_results: Make, times: list[float], said: str) -> None:
    """A claim needs an interval that leaves out 1 and enough rounds; else the answer is inconclusive."""
    assert sentences(make_results({"base": BASE[: len(times)], "other": times}))["other"] == said


def test_more_variants_need_more_rounds(make_results: Make) -> None:
    """Six rounds decide for two variants and not for three, whose intervals must hold together."""
    two = make_results({"base": BASE[:6], "other": [0.5] * 6})
    three = make_results({"base": BASE[:6], "other": [0.5] * 6, "third": [0.5] * 6})
    assert sentences(two)["other"].startswith("2.00× faster")
    assert sentences(three)["other"] == "inconclusive: about 2.00× as fast in 6 rounds; 7 are needed"


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([1e-3] * 7, "the same error, to the bit"),
        ([1e-3] * 6 + [1.1e-3], "no clear difference in error"),
        ([1e-5] * 7, "error 100× smaller"),
        ([2e-3] * 7, "error 2× larger"),
        ([1e3] * 7, "error 1.0·10⁶× larger"),
        ([0.0] * 7, "error ∞× smaller"),
        ([None] * 7, None),
        ([-1e-3] * 7, None),
        ([1e-5] * 3 + [None] * 4, "inconclusive on the error"),
    ],
)
def test_errors_are_compared_like_times(make_results: Make, errors: list[float], said: str | None) -> None:
    """Errors get the same intervals; "to the bit" is said only where every round agrees."""
    results = make_results({"base": [(1.0, 1e-3)] * 7, "other": [(0.5, error) for error in errors]})
    assert sentences(results)["other"] == "; ".join(filter(None, ["2.00× faster [2.00, 2.00]", said]))
    page_of(results)


def test_one_odd_round_of_many_is_not_the_same_to_the_bit(make_results: Make) -> None:
    """An interval of no width is not yet sameness: with many rounds it leaves the extremes out."""
    errors = [1e-3] * 11 + [2e-3]
    results = make_results({"base": [(1.0, 1e-3)] * 12, "other": [(1.0, error) for error in errors]})
    change = compare(results)[1].quality_change
    assert change is not None
    assert change.low == change.high == 0
    assert sentences(results)["other"].endswith("no clear difference in error")


def test_a_baseline_that_failed_leaves_nothing_to_compare(make_results: Make) -> None:
    """Where the baseline failed in every round the page says so, and makes no claim on the others."""
    results = make_results({"base": ["boom"] * 6, "other": [(1.0, 0.1)] * 6})
    assert sentences(results) == {
        "base": "failed in every round",
        "other": "inconclusive: in no round did both it and base work",
    }
    assert "base failed 6 times: boom" in page_of(results).text


def test_only_complete_rounds_count(make_results: Make) -> None:
    """A round that was cut short is left out; without any there is no page."""
    results = make_results({"base": BASE, "other": [0.5] * 6})
    assert compare(results)[1].ratio.count == 6  # type: ignore[union-attr]
    empty = make_results({"base": [1.0], "other": []})
    with pytest.raises(InvalidInputError, match="no complete round"):
        write_page(empty)
    assert not (empty.folder / "index.html").exists()


CASES = {
    "full": ({"base": [(1.0, 0.1)] * 7, "other": [(0.5, 0.2)] * 7}, True),
    "one round": ({"base": [(1.0, 0.1)], "other": [(0.5, 0.2)]}, True),
    "no quality, nothing kept": ({"base": [1.0] * 6, "other": [0.5] * 6}, False),
    "failures": ({"base": [(1.0, 0.1)] * 7, "other": ["boom"] * 3 + [(0.5, 0.2)] * 4, "third": ["boom"] * 7}, True),
    "baseline alone": ({"base": [(1.0, 0.1)] * 2}, True),
    "errors of zero": ({"base": [(1.0, 0.0)] * 7, "other": [(0.5, 0.0)] * 7}, False),
    "twenty variants": ({f"variant {i}": [(1.0 + i / 9, 0.1)] for i in range(20)}, False),
    "many failures": ({"base": [1.0] * 40, "other": [f"boom {i}" for i in range(40)]}, False),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_page_needs_no_other_file(make_results: Make, name: str) -> None:
    """Nothing on the page points outside it: pictures are in it, and links are to its own anchors."""
    arms, kept = CASES[name]
    page = page_of(make_results(arms, kept=kept))
    assert "script" not in {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        if attributes.get("rel") == "icon":
            assert attributes["href"] == "data:,"  # none, so that no server is asked for one
            continue
        for attribute in ("src", "href", "xlink:href", "srcset", "data", "action"):
            target = attributes.get(attribute)
            assert target is None or target.startswith(("#", "data:image/png;base64,")), (tag, target)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "@import" not in page.text
    assert not re.findall(r"url\((?!['\"]?#)", page.text)
    assert len([tag for tag, _ in page.tags if tag == "img"]) == (len(arms) if kept else 0)


def test_few_rounds_are_said_to_be_few(make_results: Make) -> None:
    """The page warns where its intervals do not reach the confidence that is needed, and only there."""
    few = page_of(make_results({"base": BASE[:2], "other": [0.5] * 2})).text
    assert "Too few rounds" in few
    assert "50.0 % confidence, where 95.0 % is needed" in few
    assert "At least 6 rounds" in few
    assert "Too few" not in page_of(make_results({"base": BASE[:6], "other": [0.5] * 6})).text


def test_hostile_names_and_messages_are_text(make_results: Make) -> None:
    """Names of variants, suite and figures, and messages of failures, are shown and never run."""
    evil = "<img src=x onerror=alert(1)>\"'&</style></svg><script>alert(2)</script>"
    results = make_results(
        {"base " + evil: [(1.0, 0.1)] * 7, evil: [(0.5, 0.2)] * 6 + [evil]},
        kept=True,
        suite=evil,
        descriptions={evil: evil},
        started=evil,
    )
    page = page_of(results)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert f"Benchmark: {evil}" in page.text
    assert f"{evil} failed: {evil}" in page.text


def test_the_page_made_again_is_the_same(make_results: Make) -> None:
    """Everything on the page follows from the results, so it comes out the same again."""
    results = make_results({"base": [(1.0, 0.1)] * 7, "other": [(0.5, 0.2)] * 7}, kept=True)
    first = write_page(results).read_bytes()
    assert write_page(read_results(results.folder)).read_bytes() == first


def test_damaged_lines_are_counted_on_the_page(make_results: Make) -> None:
    """A reader is told of lines that were left out; the raw results show them."""
    results = make_results({"base": BASE[:6], "other": [0.5] * 6})
    with (results.folder / FILE).open("a") as file:
        file.write('{"kind": "arm", "blo')
    assert "1 damaged line left out" in page_of(read_results(results.folder)).text


@pytest.mark.parametrize(
    "history",
    [
        "[1, 2]",
        "{",
        '{"initial_train_mse": 1}',
        '{"initial_train_mse": "x", "train_mse": [1], "validation_mse": []}',
    ],
)
def test_what_a_suite_keeps_may_be_anything(make_results: Make, history: str) -> None:
    """A file of another shape that happens to have the history's name spoils no page."""
    results = make_results({"base": BASE[:6], "other": [0.5] * 6}, kept=True)
    for variant in ("base", "other"):
        (results.fit_folder(variant) / "history.json").write_text(history)
    assert "Error by epoch" not in page_of(results).text


def test_a_page_that_cannot_be_written_is_one_line(make_results: Make) -> None:
    """The message names the file and the reason."""
    results = make_results({"base": BASE[:6], "other": [0.5] * 6})
    (results.folder / "index.html").mkdir()
    with pytest.raises(WorkbenchError, match=r"cannot write .*index\.html: Is a directory"):
        write_page(results)


def test_raw_results_are_on_the_page(make_results: Make) -> None:
    """What was measured can be read from the page itself."""
    results = make_results({"base": BASE[:6], "other": [0.5] * 6})
    raw = write_page(results).read_text().partition('<pre class="raw">')[2].partition("</pre>")[0]
    lines = Elements(raw).text
    assert lines.count('"kind": "arm"') == 12
    assert json.loads((results.folder / FILE).read_text().splitlines()[1])["variant"] in lines


def test_numbers_for_people() -> None:
    """Small numbers, factors, shares and times are short, and what is not there is a dash."""
    assert [scientific(v) for v in (2.5e-8, 1.0, 0.0, float("inf"), None)] == [
        "2.5·10⁻⁸", "1.0·10⁰", "0", "∞", "–",
    ]  # fmt: skip
    assert [power(v) for v in (0.0, 2.0, -2.0, 5.0, -5.0, 400.0, float("-inf"))] == [
        "1", "100", "0.01", "1.0·10⁵", "1.0·10⁻⁵", "∞", "0",
    ]  # fmt: skip
    assert [milliseconds(v) for v in (0.1234, 12.34, 1234.5, None)] == ["0.123", "12.3", "1234", "–"]
    assert [percent(v) for v in (0.734, None)] == ["73 %", "–"]


def test_long_names_do_not_drown_the_plots(make_results: Make) -> None:
    """Plots have short labels, each its own; the table has the names in full."""
    names = ["word " * 20, "word " * 20 + "!", "w" * 90, "w" * 91, "short"]
    labels = _labels(names)
    assert len(set(labels.values())) == len(names)
    assert max(map(len, labels.values())) < 40
    assert labels["short"] == "short"
    results = make_results({name: [(1.0 + i, 0.1 * (i + 1))] * 6 for i, name in enumerate(names)})
    assert "w" * 91 in page_of(results).text
