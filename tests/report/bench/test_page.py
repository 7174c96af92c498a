"""The page of a benchmark: it says no more than the verdicts do, and needs no other file."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.html import Page
from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import FILE, Results, read_results
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.report.bench.page import sentences, write_page
from workbench.report.bench.plots import plot_labels, rounds_in_time
from workbench.report.bench.tables import PageTable, comparison_table, conditions_table, target_table
from workbench.text import as_factor, as_milliseconds, as_rough_share, as_scientific, printable

Make = Callable[..., Results]
BASE = [1.0] * 7
NOISY = [1.0, 1.3, 0.8, 1.1, 0.9, 1.2, 0.7]


def page_of(results: Results) -> Page:
    return Page(write_page(results).read_text(encoding="utf-8"))


def cells(table: PageTable, row: str) -> dict[str, str]:
    """Return what a table says of a row, by column: pills, text and note."""
    found = next(each for each in table.rows if each.name == row)
    return {
        column.label: " ".join(filter(None, [*(pill.text for pill in cell.pills), cell.text, cell.note]))
        for column, cell in zip(table.columns, found.cells, strict=True)
    }


@pytest.mark.parametrize(
    ("times", "errors", "pills", "headline"),
    [
        ([0.5] * 7, [1e-3] * 7, "faster same error", "Faster, and the error is no worse: “other”."),
        ([0.5] * 7, [1e-5] * 7, "faster smaller error", "Faster, and the error is no worse: “other”."),
        ([0.5] * 7, [1.1e-3] * 7, "faster error not worse", "Faster, and the error is no worse: “other”."),
        ([0.5] * 7, [1e-1] * 7, "faster larger error", "Faster, and the error is worse: “other”."),
        ([0.5] * 7, [1e-1, 1e-5] * 3 + [1e-3], "faster error inconclusive", "inconclusive: “other”."),
        ([0.5] * 7, [None] * 7, "faster", "Faster, with no error to judge by: “other”."),
        ([2.0] * 7, [1e-3] * 7, "slower same error", "No variant is shown to be faster than the baseline."),
        ([1.0] * 7, [1e-3] * 7, "equivalent same error", "No variant is shown to be faster"),
        (NOISY, [1e-3] * 7, "inconclusive same error", "No variant is shown to be faster"),
        (["boom"] * 7, None, "failed", "No variant is shown to be faster"),
    ],
)  # fmt: skip
def test_speed_and_error_are_judged_together(
    make_results: Make, times: list[Any], errors: list[float | None] | None, pills: str, headline: str
) -> None:
    """The summary, the table and the headline say what the verdicts on speed and on quality say, together."""
    other = times if errors is None else list(zip(times, errors, strict=True))
    results = make_results({"base": [(1.0, 1e-3)] * 7, "other": other})
    assert cells(comparison_table(analyse(results)), "other")["verdict"] == pills
    text = page_of(results).text
    assert headline in text
    assert sentences(results)["other"] in text


def test_faster_at_a_cost_is_no_free_gain(make_results: Make) -> None:
    """Where every faster variant is worse, the page says that none is faster at no cost."""
    results = make_results({"base": [(1.0, 1e-3)] * 7, "other": [(0.5, 1.0)] * 7})
    assert "No variant is shown to be faster at no cost in error." in page_of(results).text


def test_a_void_session_gives_no_verdict(make_results: Make) -> None:
    """Where the baseline differs from itself the page says void, first of all, and calls nothing faster."""
    results = make_results({"base": BASE, "other": [0.5] * 7}, again=[1.2] * 7)
    page = page_of(results)
    assert "This experiment is void" in page.text
    assert ("div", {"class": "check void"}) in page.tags
    assert cells(comparison_table(analyse(results)), "other")["verdict"] == "inconclusive"
    assert page.text.index("This experiment is void") < page.text.index("Variants compared")


def test_a_sound_session_says_so(make_results: Make) -> None:
    """The interval of the baseline against itself is on the page, whatever it says."""
    page = page_of(make_results({"base": BASE, "other": [0.5] * 7}))
    assert ("div", {"class": "check passed"}) in page.tags
    assert "Passed. The baseline's second copy took 1.000× the time of the first [1.000, 1.000]" in page.text
    few = page_of(make_results({"base": BASE[:2], "other": [0.5] * 2}))
    assert ("div", {"class": "check passed"}) not in few.tags


def test_the_table_has_the_figures(make_results: Make) -> None:
    """Ratio, time, error and its change stand there with their intervals, and the rounds that they rest on."""
    results = make_results({"base": [(0.01, 1e-3)] * 7, "other": [(0.005, 1e-1)] * 6 + ["boom"]})
    assert cells(comparison_table(analyse(results)), "other") == {
        "verdict": "faster larger error",
        "time ratio": "0.500 [0.500, 0.500]",
        "time": "5 ms [5 ms, 5 ms]",
        "error": "1.0·10⁻¹ [1.0·10⁻¹, 1.0·10⁻¹]",
        "error ratio": "100 [100, 100]",
        "worked": "6 of 7",
        "rounds needed": "",
    }


def test_what_is_inconclusive_says_what_would_decide_it(make_results: Make) -> None:
    """The number of rounds that would decide stands beside what is inconclusive, and only there."""
    results = make_results({"base": BASE, "noisy": NOISY, "fast": [0.5] * 7})
    table = comparison_table(analyse(results))
    assert re.match(r"about \d", cells(table, "noisy")["rounds needed"])
    assert cells(table, "fast")["rounds needed"] == ""


def curve(*points: tuple[float, float]) -> dict[str, Any]:
    return {"value_s": 1.0, "curve": [list(point) for point in points], "quality": {"error": points[-1][1]}}


def test_misses_of_a_target_are_shown_and_never_as_inf(make_results: Make) -> None:
    """A variant that never got there has a rate of 0 and no time; the other's curve reaches 100 %."""
    hits, misses = curve((0.1, 1.0), (0.5, 1e-4)), curve((0.1, 1.0), (0.5, 0.5))
    results = make_results(
        {"base": [hits] * 7, "half": [hits, misses] * 3 + [misses], "never": [misses] * 7},
        targets=[0.6, 1e-3],
    )
    table = target_table(analyse(results))
    assert table is not None
    assert [column.group for column in table.columns[:6]] == ["down to 6.0·10⁻¹"] * 3 + [
        "down to 1.0·10⁻³"
    ] * 3
    reached = [[cell.text for cell in row.cells[3:5]] for row in table.rows]
    assert reached == [["7 of 7", "500 ms"], ["3 of 7", "never"], ["0 of 7", "never"]]
    page = page_of(results)
    assert "Down to 1.0·10⁻³" in page.text
    assert "never 0/7" in page.text
    assert "All targets together" in page.text
    assert not re.search(r"\binf\b|Infinity|\bnan\b", page.text)


def test_targets_that_nobody_reached(make_results: Make) -> None:
    """There is a table of noughts, and a line in place of the plots."""
    results = make_results(
        {"base": [curve((0.1, 1.0))] * 7, "other": [curve((0.1, 2.0))] * 7}, targets=[1e-9]
    )
    text = page_of(results).text
    assert "No variant reached any of them." in text
    assert not re.search(r"\binf\b|\bnan\b", text)


def test_figures_without_end_are_never_shown_as_inf(make_results: Make) -> None:
    """An error of nothing, or of a size that no logarithm holds, has a sign and not a word of the computer's."""
    others = {f"{figure}": [(0.5, figure)] * 7 for figure in (0.0, 1e-300, 1e300)}
    results = make_results({"base": [(1.0, 1e-3)] * 7, **others})
    assert not re.search(r"\binf\b|Infinity|\bnan\b", page_of(results).text)


def test_what_has_no_place_in_a_plot_is_named(make_results: Make) -> None:
    """A variant without any error is not on a logarithmic axis, and the page says so."""
    runs = {"base": [(1.0, 1e-3)] * 7, "other": [(0.5, 1e-1)] * 7, "none": [(0.5, 0.0)] * 7}
    assert "has no place on this axis: none." in page_of(make_results(runs)).text


def front_of(results: Results) -> tuple[str, bool]:
    """Return what the page says of the Pareto front, and whether it is drawn."""
    html = write_page(results).read_text(encoding="utf-8")
    words = (
        Page(html).text.partition("The thin line is the Pareto front: ")[2].partition(". By the medians")[0]
    )
    return words, 'id="speed-quality-front"' in html


def test_the_pareto_front_is_drawn_and_named(make_results: Make) -> None:
    """Variants that no other beats on both by their medians, from the fastest on; the others are not named."""
    runs = {
        "base": [(1.0, 1e-3)] * 7,
        "quick": [(0.5, 1e-1)] * 7,
        "beaten": [(0.6, 1e-1)] * 7,
        "better": [(0.8, 1e-4)] * 7,
        "slower": [(2.0, 1e-4)] * 7,
    }
    assert front_of(make_results(runs)) == ("quick; better", True)


def test_an_error_of_zero_is_on_the_front_though_not_on_the_axis(make_results: Make) -> None:
    """What has no place in the chart beats others nonetheless."""
    runs = {"base": [(1.0, 1e-3)] * 7, "other": [(0.5, 1e-1)] * 7, "none": [(0.7, 0.0)] * 7}
    assert front_of(make_results(runs)) == ("other; none", True)


def test_a_void_session_has_no_front(make_results: Make) -> None:
    """Where no difference in speed is believed nothing is said to be unbeaten."""
    runs = {"base": [(1.0, 1e-3)] * 7, "other": [(0.5, 1e-1)] * 7}
    assert front_of(make_results(runs, again=[(1.2, 1e-3)] * 7)) == ("", False)
    assert front_of(make_results(runs))[1]


def test_conditions_of_each_run(make_results: Make) -> None:
    """Load, stolen time, switches, memory and failures stand there for each run, the second baseline among them."""
    other = {"value_s": 0.5, "wall_s": 0.5, "cpu_s": 0.25, "steal_s": 0.05, "peak_rss_bytes": 2_000_000}
    results = make_results({"base": BASE, "other": [other] * 6 + ["boom"]})
    table = conditions_table(analyse(results))
    assert [row.name for row in table.rows] == ["base", "other", "A/A control"]
    found = cells(table, "other")
    assert found["load"] == "0.20"
    assert found["stolen"] == "10 %"
    assert found["processor"] == "0.50"
    assert found["peak memory"] == "2 MB"
    assert found["failed"] == "1"
    assert cells(table, "base")["autocorrelation"] == ""


def test_conditions_that_were_not_recorded_are_dashes(make_results: Make) -> None:
    """A system that cannot tell leaves a dash, and no error."""
    bare = {"value_s": 1.0, "steal_s": None, "peak_rss_bytes": None, "wall_s": None, "load_1min": None}
    results = make_results({"base": [bare] * 6, "other": [bare | {"involuntary_switches": None}] * 6})
    found = cells(conditions_table(analyse(results)), "other")
    assert [found[name] for name in ("load", "stolen", "processor", "switches", "peak memory")] == ["–"] * 5
    page_of(results)


def test_a_baseline_that_failed_leaves_nothing_to_compare(make_results: Make) -> None:
    """Where the baseline failed in every round the page says so, and makes no claim on the others."""
    results = make_results({"base": ["boom"] * 6, "other": [(1.0, 0.1)] * 6})
    text = page_of(results).text
    assert "base failed 6 times: boom" in text
    assert "No variant is shown to be faster" in text
    assert cells(comparison_table(analyse(results)), "other")["verdict"] == "inconclusive"


def test_only_complete_rounds_make_a_page(make_results: Make) -> None:
    """Without a complete round there is no page."""
    empty = make_results({"base": [1.0], "other": []})
    with pytest.raises(InvalidInputError, match="no complete"):
        write_page(empty)
    assert not (empty.folder / "index.html").exists()


CASES = {
    "full": ({"base": [(1.0, 0.1)] * 7, "other": [(0.5, 0.2)] * 7}, True),
    "one round": ({"base": [(1.0, 0.1)], "other": [(0.5, 0.2)]}, True),
    "no quality, nothing kept": ({"base": [1.0] * 6, "other": [0.5] * 6}, False),
    "failures": ({"base": [(1.0, 0.1)] * 7, "other": ["boom"] * 3 + [(0.5, 0.2)] * 4, "third": ["boom"] * 7}, True),
    "all failed": ({"base": ["boom"] * 7, "other": ["boom"] * 7}, False),
    "baseline alone": ({"base": [(1.0, 0.1)] * 2}, True),
    "errors of zero": ({"base": [(1.0, 0.0)] * 7, "other": [(0.5, 0.0)] * 7}, False),
    "negative figures": ({"base": [(1.0, -1.0)] * 7, "other": [(0.5, -2.0)] * 7}, False),
    "nanoseconds": ({"base": [5e-8] * 7, "other": [3e-8] * 7}, False),
    "twenty variants": ({f"variant {i}": [(1.0 + i / 9, 0.1)] for i in range(20)}, False),
    "many failures": ({"base": [1.0] * 40, "other": [f"boom {i}" for i in range(40)]}, False),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_page_needs_no_other_file(make_results: Make, name: str) -> None:
    """Charts are in the page, and its links lead to its own places, or to the results beside it."""
    runs, kept = CASES[name]
    results = make_results(runs, kept=kept)
    page = page_of(results)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    for tag, attributes in page.tags:
        if attributes.get("rel") == "icon":
            assert attributes["href"] == "data:,"  # none, so that no server is asked for one
            continue
        for attribute in ("src", "href", "xlink:href", "srcset", "data", "action"):
            target = attributes.get(attribute)
            assert target in (None, FILE) or target.startswith(("#", "data:image/png;base64,")), (tag, target)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {str(link)[1:] for link in links if str(link).startswith("#")} <= set(ids)
    assert "@import" not in page.text
    assert not re.findall(r"url\((?!['\"]?#)", page.text)
    assert len([tag for tag, _ in page.tags if tag == "img"]) == (len(runs) if kept else 0)
    assert not re.search(r"\binf\b|Infinity|\bnan\b", page.text)


def test_few_rounds_are_said_to_be_few(make_results: Make) -> None:
    """The page warns where its intervals do not reach the confidence that is needed, and only there."""
    few = page_of(make_results({"base": BASE[:2], "other": [0.5] * 2})).text
    assert "Too few rounds to say what is faster" in few
    assert "50.0 % confidence, where 95.0 % is needed" in few
    assert "At least 6 rounds" in few
    assert "to say what is faster" not in page_of(make_results({"base": BASE[:6], "other": [0.5] * 6})).text


def test_hostile_names_and_messages_are_text(make_results: Make) -> None:
    """Names of variants, suite and figures, and messages of failures, are shown and never run."""
    names = HOSTILE[:11]
    run = {"value_s": 0.5, "quality": {names[0]: 0.2}, "curve": [[0.1, 0.2]]}
    results = make_results(
        {"base": [run] * 7} | {name: [*[run] * 6, name] for name in names},
        kept=True,
        suite=names[1],
        descriptions=dict(zip(names, names, strict=True)),
        started=names[2],
        quality=names[0],
        targets=[0.3],
        target_of=names[0],
    )
    page = page_of(results)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    shown = [" ".join(printable(name).split()) for name in names]
    assert f"Benchmark: {shown[1]}" in page.text
    for name in shown:
        assert f"{name} failed: {name}" in page.text


def test_the_page_made_again_is_the_same(make_results: Make) -> None:
    """Everything on the page follows from the results, so it comes out the same again."""
    results = make_results({"base": [(1.0, 0.1)] * 7, "other": [(0.5, 0.2)] * 7}, kept=True)
    first = write_page(results).read_bytes()
    assert write_page(read_results(results.folder)).read_bytes() == first


def test_damaged_lines_are_counted_on_the_page(make_results: Make) -> None:
    """A reader is told of lines that were left out; the raw results show them."""
    results = make_results({"base": BASE[:6], "other": [0.5] * 6})
    with (results.folder / FILE).open("a") as file:
        file.write('{"kind": "run", "rou')
    assert "1 damaged line left out" in page_of(read_results(results.folder)).text


def test_what_a_suite_keeps_may_be_anything(make_results: Make) -> None:
    """A file of another shape that happens to have the history's name, or curves that are none, spoil no page."""
    histories = [
        "[1, 2]",
        "{",
        '{"initial_train_mse": 1}',
        '{"initial_train_mse": "x", "train_mse": [1], "validation_mse": []}',
        '{"initial_train_mse": 1' + "0" * 400 + ', "train_mse": [], "validation_mse": []}',
    ]
    results = make_results({f"variant {i}": BASE[:6] for i in range(len(histories))}, kept=True)
    for i, history in enumerate(histories):
        (results.fit_folder(f"variant {i}") / "history.json").write_text(history)
    assert "Errors on the way" not in page_of(results).text


def test_curves_stand_in_where_no_history_was_kept(make_results: Make) -> None:
    """Errors on the way come from the runs' own curves where the suite keeps nothing."""
    run = curve((0.1, 1.0), (0.2, 0.1))
    text = page_of(make_results({"base": [run] * 6, "other": [run] * 6}, target_of="residual")).text
    assert "residual by step, first round" in text


def test_a_page_that_cannot_be_written_is_one_line(make_results: Make) -> None:
    """The message names the file and the reason."""
    results = make_results({"base": BASE[:6], "other": [0.5] * 6})
    (results.folder / "index.html").mkdir()
    with pytest.raises(WorkbenchError, match=r"index\.html is in the way"):
        write_page(results)


def test_raw_results_are_on_the_page(make_results: Make) -> None:
    """What was measured can be read from the page itself."""
    results = make_results({"base": BASE[:6], "other": [0.5] * 6})
    raw = write_page(results).read_text().partition('<pre class="raw"')[2].partition("</pre>")[0]
    lines = Page("<pre" + raw).text
    assert lines.count('"kind": "run"') == 18
    assert json.loads((results.folder / FILE).read_text().splitlines()[2])["variant"] in lines


def test_a_long_run_has_its_raw_results_in_the_file_alone(
    make_results: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would make the page heavy is cut, and the page says where the rest is."""
    monkeypatch.setattr("workbench.report.bench.page.MAX_RAW", 500)
    page = write_page(make_results({"base": BASE[:6], "other": [0.5] * 6})).read_text()
    assert "The rest is in the file." in page
    assert len(Page(page.partition('<pre class="raw"')[2].partition("</pre>")[0]).text) < 600


def test_the_notes_are_quoted_for_the_reference_suite_alone(make_results: Make) -> None:
    """What others measured elsewhere stands beside the suite that it is about."""
    runs = {"base": BASE[:6], "other": [0.5] * 6}
    assert "Quoted, not measured here" in page_of(make_results(runs, suite_source="reference")).text
    assert "Quoted" not in page_of(make_results(runs)).text


def test_rounds_are_drawn_in_order_of_time(make_results: Make) -> None:
    """A round that was run again later stands where it ran."""
    results = make_results({"base": BASE, "other": [0.5] * 7})
    lines = (results.folder / FILE).read_text().splitlines()
    late = [
        json.dumps(json.loads(line) | {"attempt": 1}) for line in lines[2:] if json.loads(line)["round"] == 2
    ]
    cut = json.dumps({"kind": "abandoned", "round": 2, "attempt": 0})
    (results.folder / FILE).write_text("\n".join([*lines, cut, *late]) + "\n")
    assert rounds_in_time(read_results(results.folder)) == [0, 1, 3, 4, 5, 6, 2]


def test_numbers_for_people() -> None:
    """Small numbers, factors, shares and times are short, and what is not there is a dash."""
    assert [as_scientific(v) for v in (2.5e-8, 1.0, 0.0, float("inf"), None)] == [
        "2.5·10⁻⁸", "1.0·10⁰", "0", "∞", "–",
    ]  # fmt: skip
    assert [as_factor(v) for v in (0.0, 2.0, -2.0, 5.0, -5.0, 400.0, float("-inf"))] == [
        "1", "100", "0.01", "1.0·10⁵", "1.0·10⁻⁵", "∞", "0",
    ]  # fmt: skip
    assert [as_milliseconds(v) for v in (0.1234, 12.34, 1234.5, None)] == ["0.123", "12.3", "1234", "–"]
    assert [as_rough_share(v) for v in (0.734, None)] == ["73 %", "–"]


def test_long_names_do_not_drown_the_plots(make_results: Make) -> None:
    """Plots have short labels, each its own; the table has the names in full."""
    names = ["word " * 20, "word " * 20 + "!", "w" * 90, "w" * 91, "short"]
    labels = plot_labels(names)
    assert len(set(labels.values())) == len(names)
    assert max(map(len, labels.values())) < 40
    assert labels["short"] == "short"
    results = make_results({name: [(1.0 + i, 0.1 * (i + 1))] * 6 for i, name in enumerate(names)})
    assert "w" * 91 in page_of(results).text


def test_a_page_takes_in_what_is_inside_the_run(make_results: Make, tmp_path: Path) -> None:
    """What is no PNG of the run's own, such as a link to a private file, is in no page; nor is it waited for."""
    results = make_results(
        {name: [1.0] * 6 for name in ("good", "link", "folder", "text", "pipe")}, kept=True
    )
    fits = {name: results.fit_folder(name) / "fit.png" for name in results.variants}
    private = tmp_path / "private"
    private.mkdir()
    (private / "fit.png").write_bytes(b"\x89PNG\r\n\x1a\n a secret")
    for name in ("link", "text", "pipe"):
        fits[name].unlink()
    fits["link"].symlink_to(private / "fit.png")
    shutil.rmtree(fits["folder"].parent)
    fits["folder"].parent.symlink_to(private)
    fits["text"].write_bytes(b"a secret")
    os.mkfifo(fits["pipe"])
    (fits["pipe"].parent / "history.json").unlink()
    os.mkfifo(fits["pipe"].parent / "history.json")
    page = write_page(results).read_text(encoding="utf-8")
    assert page.count("data:image/png") == 1  # the good one


def test_a_machine_that_is_not_described_is_unknown(make_results: Make) -> None:
    """A first line without the facts of a machine makes a page all the same."""
    results = make_results({"base": [1.0] * 6, "other": [1.0] * 6}, environment={})
    assert "unknown" in page_of(results).text
