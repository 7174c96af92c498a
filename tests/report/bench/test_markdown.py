"""An experiment as Markdown: the verdict first, no text of a suite as Markdown, as long as a comment may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.helpers.hostile import HOSTILE
from workbench.bench.analysis.analysis import analyse
from workbench.bench.compare.gate import Limits
from workbench.bench.compare.sessions import compare_sessions
from workbench.bench.results.results import Results
from workbench.report.bench.markdown import error_markdown, experiment_markdown, verdict_markdown

Make = Callable[..., Results]
SIDES = {name: {"python": "3.11", "packages": {}} for name in ("base", "new")}
GITHUB_MAX = 65_536
EVEN, NOISY = [1.0] * 7, [1.0, 1.3, 1.0, 1.3, 1.0, 1.3, 1.1]


def compared(make_results: Make, new: Sequence[Any], *, base: Sequence[Any] = EVEN, **more: Any) -> str:
    """Return the Markdown of a comparison of one variant."""
    results = make_results(
        {"base": base, "new": new},
        sides=SIDES,
        pairs={"one": ["base", "new"]},
        delta=0.05,
        quality=None,
        **more,
    )
    return "\n".join(experiment_markdown(analyse(results)))


def rendered(lines: Sequence[str]) -> list[Any]:
    """Return the tokens of Markdown with tables, in which HTML would be HTML."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse("\n".join(lines))
    return [each for token in tokens for each in (token, *(token.children or ()))]


def test_a_comparison_begins_with_its_verdict(make_results: Make) -> None:
    """The first line is the verdict with its limit; a table and the machine's health follow."""
    text = compared(make_results, [1.5] * 7, descriptions={"new": "HEAD: use a list"})
    assert text.startswith("### REGRESSION 1.50× slower (limit 1.05×): one, \\[1.50, 1.50\\]\n\n| verdict |")
    assert "| regression | one | 1 s | 1.5 s | 1.50× slower (limit 1.05×) \\[1.50, 1.50\\] | – |" in text
    assert "- new: HEAD: use a list\n- A/A control: same speed" in text
    assert "load 0.2 on 2 cores; CPU share 98 %; rounds 7; measured for 29 s; a machine, Python 3.11" in text
    assert "What to do next" not in text


@pytest.mark.parametrize(
    ("new", "more", "advice"),
    [
        (EVEN, {"again": NOISY}, "on a machine that does nothing else"),
        (EVEN, {"again": [1.5] * 7}, "on a machine that does nothing else"),
        (NOISY, {}, "measure for longer: about"),
        ([1.5] * 3, {"base": EVEN[:3]}, "measure for longer: about 6 rounds (≈ 25 s) would decide"),
        ([1.05] * 7, {}, "allow a larger slowdown"),
        ([1.0] * 6 + ["boom"], {}, "find out why the new side fails"),
    ],
)
def test_an_inconclusive_one_says_what_to_do(
    make_results: Make, new: Sequence[Any], more: dict[str, Any], advice: str
) -> None:
    """What to do next depends on what left it open."""
    text = compared(make_results, new, **more)
    assert text.startswith("### INCONCLUSIVE ")
    assert advice in text.partition("- What to do next: ")[2]


def test_several_variants_are_counted_and_the_worst_is_first(make_results: Make) -> None:
    """The sentence counts the variants of the verdict, and what is no regression is below."""
    runs = {"a, base": EVEN, "a, new": EVEN, "b, base": EVEN, "b, new": [2.0] * 7}
    pairs = {name: [f"{name}, base", f"{name}, new"] for name in "ab"}
    results = make_results(runs, sides=SIDES, pairs=pairs, delta=0.05, quality=None)
    lines = experiment_markdown(analyse(results))
    assert lines[0] == "### REGRESSION in 1 of 2 variants"
    assert [line.split(" | ")[:2] for line in lines[4:6]] == [["| regression", "b"], ["| fine", "a"]]


def test_other_experiments_begin_with_what_they_found(make_results: Make) -> None:
    """A benchmark of variants has its headline, its table and its health in the same form."""
    lines = experiment_markdown(analyse(make_results({"base": EVEN, "other": [0.5] * 7})))
    assert lines[0] == "### Faster, with no error to judge by: “other” (2.00× faster)."
    assert lines[-1].startswith("- load 0.2 on 2 cores; ")


def test_names_are_text(make_results: Make) -> None:
    """No name is Markdown, HTML, mathematics or a mention, and each is in the table as it is."""
    names = [*HOSTILE[:11], "@everyone", "a|b", "~~x~~", "&lt;", "$x$", "- 1. x", "[x](http://y)"]
    results = make_results(
        {"base": EVEN} | dict.fromkeys(names, EVEN), descriptions=dict.fromkeys(names, names[1])
    )
    lines = experiment_markdown(analyse(results))
    tokens = rendered(lines)
    kinds = {token.type for token in tokens}
    assert not kinds & {
        "html_inline",
        "html_block",
        "link_open",
        "code_inline",
        "em_open",
        "s_open",
        "image",
        "fence",
    }
    assert sum(token.type == "tr_open" for token in tokens) == len(names) + 2
    shown = {token.content for token in tokens if token.type == "text"}
    assert {"a|b", "~~x~~", "&lt;", "$x$", "@\u200beveryone"} <= shown


def test_a_comment_on_github_holds_it(make_results: Make) -> None:
    """However many variants there are, and however long their names, it is short enough and says what is missing."""
    for count, length in ((400, 40), (60, 5000)):
        names = [f"{i:03} {'@' * length}" for i in range(count)]
        lines = experiment_markdown(
            analyse(make_results({"base": EVEN[:2]} | dict.fromkeys(names, EVEN[:2])))
        )
        assert len("\n".join(lines)) < GITHUB_MAX
        assert "lines left out here are on the page" in lines[-1]
    assert len("\n".join(error_markdown("x\n" * GITHUB_MAX))) < GITHUB_MAX


def test_stored_experiments_have_their_verdict(make_results: Make) -> None:
    """Two sides of stored experiments are a table; too few say so in the first line."""
    sides = [[make_results({"one": [(scale + i / 1000, 1.0)] * 3}) for i in range(6)] for scale in (1.0, 2.0)]
    lines = verdict_markdown(compare_sessions(*sides, Limits()))
    assert lines[0].startswith("### REGRESSION 2.00× slower (limit 1.05×): one, ")
    assert lines[4].startswith("| regression | one | 2.00× slower")
    few = verdict_markdown(compare_sessions(sides[0][:1], sides[1], Limits()))
    assert few[0].startswith(
        "### INCONCLUSIVE: 1 and 6 stored experiments: at least 6 of each side are needed"
    )
