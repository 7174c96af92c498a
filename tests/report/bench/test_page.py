"""The page of a benchmark: it says no more than the verdicts do, and needs no other file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.html import Page
from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import FILE, RESIDUALS, Results, read_results
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.report.bench.charts import plot_labels, rounds_in_time
from workbench.report.bench.health import control_of, health_of
from workbench.report.bench.markdown import experiment_markdown
from workbench.report.bench.page import write_page
from workbench.report.bench.rows import BenchRow, as_text, rows_of
from workbench.report.bench.tables import conditions_table, target_table
from workbench.report.tables import PageTable
from workbench.text import (
    as_error,
    as_factor,
    as_milliseconds,
    as_rough_share,
    as_scientific,
    as_speed,
    printable,
)

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


def row_of(results: Results, variant: str) -> BenchRow:
    return next(row for row in rows_of(analyse(results)) if row.comparison.variant == variant)


def verdict_of(results: Results, variant: str) -> str:
    return " ".join(pill.text for pill in row_of(results, variant).verdict)


@pytest.mark.parametrize(
    ("times", "errors", "pills", "headline"),
    [
        ([0.5] * 7, [1e-3] * 7, "faster same error", "Faster, and the error is no worse: “other” (2.00× faster)."),
        ([0.5] * 7, [1e-5] * 7, "faster smaller error", "Faster, and the error is no worse: “other” (2.00× faster)."),
        ([0.5] * 7, [1.1e-3] * 7, "faster error not worse", "Faster, and the error is no worse: “other”"),
        ([0.5] * 7, [1e-1] * 7, "faster larger error", "Faster, with a larger error: “other” (2.00× faster)."),
        ([0.5] * 7, [1e-1, 1e-5] * 3 + [1e-3], "faster error inconclusive", "the error is inconclusive: “other”"),
        ([0.5] * 7, [None] * 7, "faster", "Faster, with no error to judge by: “other”"),
        ([2.0] * 7, [1e-3] * 7, "slower same error", "No variant is shown to be faster than the baseline."),
        ([1.0] * 7, [1e-3] * 7, "equivalent same error", "No variant is shown to be faster"),
        (NOISY, [1e-3] * 7, "inconclusive same error", "No variant is shown to be faster"),
        (["boom"] * 7, None, "failed", "No variant is shown to be faster"),
    ],
)  # fmt: skip
def test_speed_and_error_are_judged_together(
    make_results: Make, times: list[Any], errors: list[float | None] | None, pills: str, headline: str
) -> None:
    """The table and the headline say what the verdicts on speed and on quality say, together."""
    other = times if errors is None else list(zip(times, errors, strict=True))
    results = make_results({"base": [(1.0, 1e-3)] * 7, "other": other})
    assert verdict_of(results, "other") == pills
    assert headline in page_of(results).text


def test_the_best_is_first(make_results: Make) -> None:
    """What costs no error comes by its speed, the baseline among it; then what costs some, and what failed last."""
    runs = {
        "base": [(1.0, 1e-3)] * 9,
        "failed": ["boom"] * 9,
        "costly": [(0.1, 1.0)] * 9,
        "slow": [(2.0, 1e-3)] * 9,
        "quick": [(0.5, 1e-3)] * 9,
    }
    analysis = analyse(make_results(runs))
    assert [row.name for row in rows_of(analysis)] == ["quick", "base", "slow", "costly", "failed"]
    void = analyse(make_results(runs, again=[(1.3, 1e-3)] * 9))
    assert [row.name for row in rows_of(void)] == list(runs)


def test_faster_at_a_cost_is_no_free_gain(make_results: Make) -> None:
    """Where every faster variant is worse, the page says that none is faster at no cost."""
    results = make_results({"base": [(1.0, 1e-3)] * 9, "other": [(0.5, 1.0)] * 9})
    assert "No variant is shown to be faster at no cost in error." in page_of(results).text


def test_a_void_session_gives_no_verdict(make_results: Make) -> None:
    """Where the baseline differs from itself the page says void, first of all, and calls nothing faster."""
    results = make_results({"base": BASE, "other": [0.5] * 7}, again=[1.2] * 7)
    text = page_of(results).text
    assert control_of(analyse(results)).kind == "bad"
    assert verdict_of(results, "other") == "inconclusive"
    assert text.index("This experiment is void") < text.index("Each row opens")


def test_a_strip_says_how_far_it_can_be_trusted(make_results: Make) -> None:
    """The A/A control is inside the margin, has too few rounds, or is too noisy, in words beside the colour."""
    page = page_of(make_results({"base": BASE, "other": [0.5] * 7}))
    assert ("li", {"class": "good"}) in page.tags
    assert "A/A control inside the margin of 2 % " in page.text
    few = make_results({"base": BASE[:2], "other": [0.5] * 2})
    strip = {each.what: (each.kind, each.found, each.detail) for each in health_of(analyse(few))}
    assert strip["A/A control"] == ("doubtful", "too few rounds", "same speed")
    assert strip["rounds"] == ("doubtful", "2", "a verdict needs 6")
    assert strip["load"] == ("good", "0.2 on 2 cores", "")
    assert strip["CPU share"] == ("good", "98 %", "")
    noisy = analyse(make_results({"base": BASE, "other": [0.5] * 7}, again=NOISY))
    assert control_of(noisy).found == "too noisy to tell"
    load = {"value_s": 1.0, "load_1min": 7.0, "waited_s": 0.5}
    strip = {
        each.what: (each.kind, each.detail) for each in health_of(analyse(make_results({"base": [load] * 6})))
    }
    assert strip["load"] == ("doubtful", "busy")
    assert strip["CPU share"] == ("doubtful", "waited 50 % of the time")


def test_the_table_has_the_figures(make_results: Make) -> None:
    """Speed and error are there with their intervals, and what failed."""
    results = make_results({"base": [(0.01, 1e-3)] * 7, "other": [(0.005, 1e-1)] * 6 + ["boom"]})
    row = row_of(results, "other")
    assert (str(row.speed), str(row.error)) == ("2.00× faster [2.00, 2.00]", "100× larger error [100, 100]")
    assert list(row.notes) == ["failed in 1 of 7 rounds"]
    text = page_of(results).text
    assert "2.00× faster [2.00, 2.00]" in text
    assert "5 ms [5 ms, 5 ms]" in text
    assert "6 of 7 rounds" in text


def test_what_is_inconclusive_says_what_would_decide_it(make_results: Make) -> None:
    """The number of rounds that would decide, and their time, is beside what is inconclusive, and only there."""
    results = make_results({"base": BASE, "noisy": NOISY, "fast": [0.5] * 7})
    assert re.fullmatch(r"about [\d,]+ rounds \(≈ [\d.]+ hours\)", row_of(results, "noisy").needs)
    assert row_of(results, "fast").needs == ""


def test_one_fact_has_one_value(make_results: Make) -> None:
    """What the terminal, the Markdown and the page say of a variant is the same, to the letter."""
    runs = {
        "base": [(1.0 + i / 50, 1e-3) for i in range(8)],
        "quick": [(0.7 + i / 60, 1e-2 * (1 + i)) for i in range(8)],
        "noisy": [(x, 1e-3 * x**4) for x in [*NOISY, 1.0]],
    }
    results = make_results(runs)
    analysis = analyse(results)
    page = " ".join(page_of(results).text.split())
    terminal, markdown = (
        "\n".join(as_text(analysis)),
        "\n".join(experiment_markdown(analysis)).replace("\\", ""),
    )
    told = {each["variant"]: each for each in analysis.to_json()["comparisons"]}
    for row in rows_of(analysis):
        assert row.time in page
        for figure in (row.speed, row.error):
            for text in (page, terminal, markdown):
                assert str(figure) in text
        if row.comparison.speed is not None:
            ratio = told[row.name]["speed"]["ratio"]
            assert str(row.speed) == as_speed(ratio["value"], (ratio["low"], ratio["high"]))
            assert str(row.speed) in told[row.name]["sentence"]
            words = re.findall(r"[\d.]+× (?:faster|slower)", page.partition("Conditions")[0])
            assert row.speed.text in words
    figures = {f for row in rows_of(analysis) for f in re.findall(r"[\d.]+× \w+", str(row.speed))}
    control = set(re.findall(r"[\d.]+× \w+", control_of(analysis).detail))
    shown = set(re.findall(r"[\d.]+× (?:faster|slower)", page.partition("Variants, best first")[0]))
    assert shown <= figures | control


def test_a_comparison_begins_with_its_gate(make_results: Make) -> None:
    """The page of two sides begins with the verdict on the new one, with its limit."""
    sides = {name: {"python": "3.11", "packages": {}} for name in ("base", "new")}
    results = make_results(
        {"base": [(1.0, 1e-3)] * 7, "new": [(24.6, 1e-3)] * 7},
        sides=sides, pairs={"one": ["base", "new"]}, delta=0.05,
    )  # fmt: skip
    page = page_of(results)
    assert "REGRESSION 24.6× slower (limit 1.05×): one, [24.6, 24.6]; same error (limit 1.26×)" in page.text
    assert ("p", {"class": "headline clip regression"}) in page.tags


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
    assert [column.group for column in table.columns] == ["down to 6.0·10⁻¹"] * 3 + ["down to 1.0·10⁻³"] * 3
    reached = [[cell.text for cell in row.cells[3:5]] for row in table.rows]
    assert reached == [["7 of 7", "500 ms"], ["3 of 7", "never"], ["0 of 7", "never"]]
    page = page_of(results)
    assert "time to 1.0·10⁻³" in page.text
    assert re.search(r"never ?7 of 14", page.text)
    assert re.search(r"half ?10 of 14", page.text)
    assert not re.search(r"\binf\b|Infinity|\bnan\b", page.text)


def test_targets_that_nobody_reached(make_results: Make) -> None:
    """There is a table of noughts, and a line in place of the charts."""
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
    words = Page(html).text.partition("The line is the Pareto front by the medians: ")[2].partition(".")[0]
    return words, 'class="wp-front"' in html


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
    """Load, stolen time, switches and failures stand there for each run, the second baseline among them."""
    other = {"value_s": 0.5, "wall_s": 0.5, "cpu_s": 0.25, "steal_s": 0.05}
    results = make_results({"base": BASE, "other": [other] * 6 + ["boom"]})
    table = conditions_table(analyse(results))
    assert [row.name for row in table.rows] == ["base", "other", "A/A control"]
    found = cells(table, "other")
    assert found["load"] == "0.20"
    assert found["stolen"] == "10 %"
    assert found["processor"] == "0.50"
    assert found["failed"] == "1"
    assert cells(table, "base")["autocorrelation"] == ""


def test_conditions_that_were_not_recorded_are_dashes(make_results: Make) -> None:
    """A system that cannot tell leaves a dash, and no error."""
    bare = {"value_s": 1.0, "steal_s": None, "wall_s": None, "load_1min": None}
    results = make_results({"base": [bare] * 6, "other": [bare | {"involuntary_switches": None}] * 6})
    found = cells(conditions_table(analyse(results)), "other")
    assert [found[name] for name in ("load", "stolen", "processor", "switches")] == ["–"] * 4
    page_of(results)


def test_a_baseline_that_failed_leaves_nothing_to_compare(make_results: Make) -> None:
    """Where the baseline failed in every round the page says so, and makes no claim on the others."""
    results = make_results({"base": ["boom"] * 6, "other": [(1.0, 0.1)] * 6})
    text = page_of(results).text
    assert "base failed 6 times: boom" in text
    assert "No variant is shown to be faster" in text
    assert verdict_of(results, "other") == "inconclusive"


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
    """Charts are in the page, and its links lead to its own places, or to the files of the experiment."""
    runs, kept = CASES[name]
    results = make_results(runs, kept=kept)
    page = page_of(results)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    for _, attributes in page.tags:
        if attributes.get("rel") == "icon":
            assert attributes["href"] == "data:,"  # none, so that no server is asked for one
            continue
        for attribute in ("src", "href", "xlink:href", "srcset", "data", "action"):
            target = attributes.get(attribute)
            assert (
                target in (None, FILE) or target.startswith("#") or re.fullmatch("fits/.*/fit.png", target)
            ), target
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {str(link)[1:] for link in links if str(link).startswith("#")} <= set(ids)
    assert "@import" not in page.text
    assert not re.findall(r"url\((?!['\"]?#)", page.text)
    assert not re.search(r"\binf\b|Infinity|\bnan\b", page.text)


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


def test_residuals_are_on_one_axis(make_results: Make, tmp_path: Path) -> None:
    """What the first round kept is one chart, equal curves are one line; what is no file of ours is left out."""
    results = make_results(
        dict.fromkeys(("base", "same", "other", "link", "text", "object"), BASE), kept=True
    )
    x = np.linspace(0, 1, 50)
    files = {name: results.fit_folder(name) / RESIDUALS for name in results.variants}
    for name, residual in {"base": np.sin(x), "same": np.sin(x), "other": 2 * np.cos(x)}.items():
        np.savez_compressed(files[name], x=x, residual=residual)
    np.savez_compressed(tmp_path / "secret.npz", x=x, residual=x)
    files["link"].symlink_to(tmp_path / "secret.npz")
    files["text"].write_text("no arrays")
    np.savez_compressed(files["object"], x=np.array([None]), residual=x)
    page = write_page(results).read_text(encoding="utf-8")
    section = Page(page[page.index('<section id="residuals">') :].partition("</section>")[0])
    assert "base and 1 more" in section.text
    assert "As base: same." in section.text
    assert len([tag for tag, a in section.tags if tag == "path" and "wp-line" in (a["class"] or "")]) == 2
    assert "link" not in section.text


def test_numbers_for_people() -> None:
    """Small numbers, factors, shares and times are short, and what is not there is a dash."""
    assert [as_scientific(v) for v in (2.5e-8, 1.0, 0.0, float("inf"), None)] == [
        "2.5·10⁻⁸", "1.0·10⁰", "0", "∞", "–",
    ]  # fmt: skip
    assert [as_factor(v) for v in (0.0, 2.0, -2.0, 5.0, -5.0, 400.0, float("-inf"))] == [
        "1", "100", "0.01", "1.0·10⁵", "1.0·10⁻⁵", "∞", "0",
    ]  # fmt: skip
    assert [as_speed(v) for v in (0.8, 1.18, 0.98, 1.0, 24.61, 0.0, float("inf"))] == [
        "1.25× faster", "1.18× slower", "1.020× faster", "same speed", "24.6× slower", "∞× faster", "∞× slower",
    ]  # fmt: skip
    assert as_speed(0.98, (0.95, 1.01)) == "1.020× faster [1.053× faster, 1.010× slower]"
    assert as_speed(0.8, (0.76, 0.8334)) == "1.25× faster [1.20, 1.32]"
    assert [as_error(v) for v in (0.0, 0.0001, 2.0, -0.5)] == [
        "same error", "same error", "100× larger error", "3.16× smaller error",
    ]  # fmt: skip
    assert as_error(-0.5, (-0.6, 0.1)) == "3.16× smaller error [3.98× smaller, 1.26× larger]"
    assert as_error(0.5, (-float("inf"), float("inf"))) == "3.16× larger error [unbounded]"
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


def test_a_machine_that_is_not_described_is_unknown(make_results: Make) -> None:
    """A first line without the facts of a machine makes a page all the same."""
    results = make_results({"base": [1.0] * 6, "other": [1.0] * 6}, environment={})
    assert "unknown" in page_of(results).text
