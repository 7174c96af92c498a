"""One fact has one value: whatever a page, the terminal and the JSON say of the same thing agrees."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings

from tests.helpers.html import Page
from tests.helpers.lines_of_ranges import costs_of_run, lines_of_ranges
from tests.helpers.page_profiles import capture_of, merged, training, waits
from tests.helpers.random_profiles import random_profiles
from workbench.profile import Profile, scope_samples
from workbench.report.profile.files import write_profile_files
from workbench.report.profile.overview import as_json, as_markdown, as_text, overview_of
from workbench.report.profile.page import write_report
from workbench.report.profile.run import ProfileRun, read_run, run_of_profile
from workbench.report.profile.sampled import native_note, shares_by_time
from workbench.report.profile.tables import functions_table

UNITS = {"s": 1e9, "ms": 1e6, "µs": 1e3, "ns": 1.0}
SIZES = {"GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0}
COSTS = {"cpu": "CPU time", "lock": "lock wait", "system": "waiting", "resident": "resident"}
"""What a scope costs beside time: keys of the page's data, and heads of columns."""
TIME = re.compile(r"(?<![\d.,])([\d,]+(?:\.\d+)?) (s|ms|µs|ns)\b")


class Stated(NamedTuple):
    """A figure, from and to what its digits allow."""

    where: str
    low: float
    high: float


@dataclass
class Facts:
    """What is stated, by what it is of."""

    stated: dict[tuple[str, ...], list[Stated]] = field(default_factory=lambda: defaultdict(list))

    def add(self, where: str, value: float, off: float, *fact: str) -> None:
        """Add a value that is rounded by at most `off`."""
        self.stated[fact].append(Stated(where, value - off, value + off))

    def add_time(self, where: str, text: str, *fact: str) -> None:
        """Add a time of three digits, such as 1.5 s."""
        found = TIME.search(text)
        if found is not None:
            value = float(found[1].replace(",", "")) * UNITS[found[2]]
            self.add(where, value, max(0.0051 * value, 0.5), *fact)

    def add_size(self, where: str, text: str, *fact: str) -> None:
        """Add a number of bytes with three digits, such as 1.5 MB."""
        digits, unit = text.split()
        value = float(digits.replace(",", "")) * SIZES[unit]
        self.add(where, value, 0.0051 * value, *fact)

    def add_share(self, where: str, text: str, *fact: str) -> None:
        """Add a share such as 41 % ± 2, as a part of one."""
        found = re.match(r"([\d.]+)", text)
        if found is not None:
            digits = len(found[1].partition(".")[2])
            self.add(where, float(found[1]) / 100, 0.0051 * 10**-digits, *fact)

    def differences(self) -> list[str]:
        """Return what is stated with two values."""
        return [
            f"{' '.join(fact)}: {', '.join(f'{s.where} {(s.low + s.high) / 2:g}' for s in stated)}"
            for fact, stated in self.stated.items()
            if max(s.low for s in stated) > min(s.high for s in stated) * (1 + 1e-9) + 1e-9
        ]


def add_header(facts: Facts, page: Page, run: ProfileRun) -> None:
    """The first screen: when it ran, and the bars of the heaviest scopes."""
    begin = re.search(r"\b(took|covers) ", page.source)
    assert begin is not None
    facts.add_time("header", page.source[begin.end() :][:40], "took")
    shown = overview_of(run)
    once = Counter(node.path[-1] for node in shown.found.scopes)
    rows = re.findall(r'<tr class="scope">.*?</tr>', page.source)
    scopes = [row.scope for row in shown.rows if row.scope is not None]
    for markup, scope in zip(rows, scopes, strict=True):
        name = scope.path[-1]
        total, own, calls, *_ = re.findall(r"<td>(.*?)</td>", markup)
        if once[name] == 1:
            facts.add_time("header", total, "total", name)
            facts.add_time("header", own, "self", name)
            facts.add("header", float(calls.replace(",", "")), 0, "calls", name)

    for where, text in re.findall(
        r'(origin">|"process \d+",")[^"\n]*?largest resident set ([\d.]+ \w+)', page.source
    ):
        facts.add_size("header" if where.startswith("origin") else "timeline", text, "largest resident set")


def add_text(facts: Facts, run: ProfileRun) -> None:
    """The terminal, Markdown, and the JSON of `workbench show`."""
    shown = overview_of(run)
    once = Counter(node.path[-1] for node in shown.found.scopes)
    found: dict[str, Any] = json.loads(json.dumps(as_json(shown)))
    facts.add("json", found["seconds"] * 1e9, 0.5, "took")
    facts.add("json", found["samples"], 0, "samples")
    text = as_text(shown)
    facts.add_time(
        "terminal", text[0][text[0].rindex("took " if "took " in text[0] else "covers ") :], "took"
    )
    for line in (text[0], as_markdown(shown)[0]):
        if count := re.search(r"([\d,]+) samples?\b", line):
            facts.add("terminal", float(count[1].replace(",", "")), 0, "samples")
    for scope in found["scopes"]:
        name = scope["path"][-1]
        if once[name] == 1:
            facts.add("json", scope["total_s"] * 1e9, 0.5, "total", name)
            facts.add("json", scope["self_s"] * 1e9, 0.5, "self", name)
            facts.add("json", scope["calls"], 0, "calls", name)
    for costs in found["scope_resources"]:
        for cost, key in (("cpu", "cpu"), ("lock", "waiting_for_lock"), ("system", "waiting")):
            if costs[key] is not None:
                facts.add("json", costs[key]["s"] * 1e9, 1, cost, costs["name"])
        if costs["largest_resident_bytes"] is not None:
            facts.add("json", costs["largest_resident_bytes"], 0, "resident", costs["name"])
    if sizes := [process["largest_resident_bytes"] for process in found["processes"]]:
        facts.add("json", max(sizes), 0, "largest resident set")
    for line in found["lines"]:
        facts.add("json", line["share"], 0, "line", f"{Path(line['file']).name}:{line['line']}")


def add_lines(facts: Facts, page: Page) -> None:
    """The hottest lines of the first screen, and the data of the tab of lines."""
    for place, share in re.findall(
        r'<span class="place">(.*?)</span>.*?</th><td>(.*?)</td></tr>', page.source
    ):
        facts.add_share("header", share, "line", place.rpartition("/")[2])
    if 'id="lines"' in page.source:
        data = page.data("lines")
        for file, line, _, own, *_ in data["run"]:
            fact = f"{Path(data['files'][file]['place']).name}:{line}"
            facts.add("lines", own / data["unit"], 0.51 / data["unit"], "line", fact)


def add_range(facts: Facts, page: Page, run: ProfileRun) -> None:
    """The lines of a range that is the whole run, and the costs of scopes in it, as the page's script counts them."""
    if run.together is not None:
        for name, costs in costs_of_run(page, "profile").items():
            for key in COSTS:
                if key in costs:
                    facts.add("range", costs[key], 100, key, name)
    if 'id="lines"' not in page.source:
        return
    of = "samples" if run.together is None else "profile"
    (found,) = lines_of_ranges(page, of, [(None, 0, 1 << 62)])
    for line, shares in found.items():
        facts.add("range", shares["self"], 1e-9, "line", line)


def add_tables(facts: Facts, page: Page) -> None:
    """The tables, and the data of the side panel."""
    for key in ("scopes", "samples"):
        if f'id="table-{key}"' not in page.source:
            continue
        data = page.data(f"table-{key}")
        section = page.source[page.source.index(f'id="table-{key}"') :]
        section = section[: section.index("</table>")]
        heads = re.findall(r'data-column="\d+"[^>]*>(.*?)</button>', section)[1:]
        rows = re.findall(r'<tr data-row="(\d+)">(.*?)</tr>', section, re.DOTALL)
        for number, markup in rows:
            name, place, kind, total, own, count = data["frames"][int(number)]
            cells = [
                re.sub(r"<i>(.*?)</i>", r" \1", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", markup)
            ]
            row = dict(zip(heads, cells, strict=True))
            if key == "scopes":
                for what, exact in (("total", total), ("self", own)):
                    facts.add_time("table", row.get(what, row.get("CPU × workers", "")), what, name)
                    facts.add("panel", exact, 0.5, what, name)
                facts.add("table", float(row["calls"].replace(",", "")), 0, "calls", name)
                facts.add("panel", count, 0, "calls", name)
                facts.add_time("table", row["mean"], "mean", name)
                if (calls := data["calls"][int(number)])[1] is not None:
                    facts.add("panel", calls[1], 0.5, "mean", name)
                for cost, head in COSTS.items():
                    if (stated := data["costs"][int(number)][cost]) is None:
                        continue
                    facts.add("panel", stated if cost == "resident" else stated[0], 1, cost, name)
                    add = facts.add_size if cost == "resident" else facts.add_time
                    add("table", row[head].partition(" ±")[0], cost, name)
                if seen := data["seen"][int(number)]:
                    facts.add_share("table", row["of samples %"], "of samples", name)
                    facts.add_share("panel", seen[0], "of samples", name)
                continue
            function = f"{name} {data['places'][place]} {kind}"
            facts.add_share("table", row["self %"], "on top", function)
            facts.add_share("table", row["total %"], "of samples", function)
            facts.add_time("table", row["self ≈"], "self of samples", function)
            facts.add_time("table", row["total ≈"], "total of samples", function)
            facts.add("panel", own, 0.5, "self of samples", function)
            facts.add("panel", total, 0.5, "total of samples", function)
            for which, what in (("own", "on top"), ("seen", "of samples")):
                if stated := data[which][int(number)]:
                    facts.add_share("panel", stated[0], what, function)
                    off = 0.0 if data["all"] else 1.0
                    share = (own if which == "own" else total) / (data["all"] or 1)
                    facts.add("panel's time", share, off + 1e-9, what, function)


def add_flame_graphs(facts: Facts, page: Page) -> None:
    """The data of the flame graphs, summed up over the outermost boxes of each name."""
    for key in ("scopes", "samples"):
        if f'id="{key}"' not in page.source:
            continue
        section = page.source[page.source.index(f'id="{key}"') :]
        data = json.loads(re.findall(r'<metadata class="wf-data">(.*?)</metadata>', section)[0])
        view = data["views"][0]
        if view["footer"]:
            continue  # some boxes are merged
        totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        path: list[str] = []
        for i in range(1, len(view["label"])):
            name, place, kind, _ = data["labels"][view["label"][i]]
            which = name if key == "scopes" else f"{name} {place} {kind}"
            del path[view["depth"][i] - 1 :]
            totals[which][0] += 0 if which in path else view["total"][i]
            totals[which][1] += view["self"][i]
            path.append(which)
        suffix = "" if key == "scopes" else " of samples"
        for which, (total, own) in totals.items():
            facts.add("flame graph", total, 0.5, f"total{suffix}", which)
            facts.add("flame graph", own, 0.5, f"self{suffix}", which)


def add_tree(facts: Facts, run: ProfileRun) -> None:
    """The tree: all of its parts are all samples, and a function's parts are its share on top."""
    found = overview_of(run).found
    if not found.samples:
        return
    of_scopes = [each for node in found.scopes for each in node.functions]
    parts = [*of_scopes, *(part for each in found.outside for part in each.parts)]
    facts.add("tree", sum(part.of_all.share for part in parts), 1e-9, "all samples")
    facts.add("all of it", 1.0, 1e-9, "all samples")
    facts.add("tree", sum(part.of_all.samples for part in parts), 0, "samples")
    outside = sum(each.of_all.share for each in found.outside)
    if found.outside_share is not None:
        facts.add("tree", found.outside_share.share, 1e-9, "outside any scope")
        facts.add("parts", outside, 1e-9, "outside any scope")
    assert run.samples is not None
    of_table: dict[str, float] = defaultdict(float)
    table = functions_table(run.samples, by_time=shares_by_time(run.sampler))
    data = table.data
    for name, _, kind, _, own, _ in data["frames"]:
        if data["kinds"][kind] == "native" and not name.startswith("["):
            of_table[name] += own / (data["all"] or 1)
    of_tree: dict[str, float] = defaultdict(float)
    for part in parts:
        of_tree[part.name] += part.of_all.share
    for name in of_table.keys() & of_tree.keys() if data["all"] else ():
        facts.add("tree", of_tree[name], 1e-9, "native on top", name)
        facts.add("table", of_table[name], 1e-9, "native on top", name)


def add_trust(facts: Facts, page: Page) -> None:
    """The figures on how far to trust the page."""
    for what, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.source):
        if what in ("took", "covers"):
            facts.add_time("trust", value, "took")
        elif what in ("sample", "samples"):
            facts.add("trust", float(value.replace(",", "")), 0, "samples")


def add_summary(facts: Facts, file: Path) -> None:
    """The facts for machines in `profile.json`."""
    summary = json.loads(file.read_text(encoding="utf-8"))
    facts.add("profile.json", summary["seconds"] * 1e9, 5e5, "took")
    for scope in summary["scope_totals"]:
        facts.add("profile.json", scope["total_s"] * 1e9, 0.5, "total", scope["name"])
        facts.add("profile.json", scope["self_s"] * 1e9, 0.5, "self", scope["name"])
        facts.add("profile.json", scope["calls"], 0, "calls", scope["name"])
        if "share" in scope:
            facts.add("profile.json", scope["share"], 1e-9, "of samples", scope["name"])


def facts_of(page_file: Path, run: ProfileRun) -> Facts:
    facts, page = Facts(), Page(page_file.read_text(encoding="utf-8"))
    for add in (add_tables, add_flame_graphs, add_trust, add_lines):
        add(facts, page)
    add_header(facts, page, run)
    add_range(facts, page, run)
    add_text(facts, run)
    add_tree(facts, run)
    return facts


@pytest.mark.parametrize("made", [training, merged])
def test_one_fact_has_one_value(tmp_path: Path, made: Any) -> None:
    """Header, flame graphs, tables, side panel, terminal, JSON and summary state the same."""
    (tmp_path / "out").mkdir()
    capture = capture_of(tmp_path / "out", made())
    write_profile_files(capture)
    run = read_run(tmp_path / "out")
    facts = facts_of(tmp_path / "out" / "index.html", run)
    add_summary(facts, tmp_path / "out" / "profile.json")
    assert not facts.differences()
    places = {"header", "table", "panel", "json", "profile.json"}  # a flame graph merges what is very short
    assert {s.where for s in facts.stated["total", "fit"]} >= places
    if made is training:
        assert {s.where for s in facts.stated["line", "fit.py:3"]} == {"header", "lines", "json", "range"}
    assert {s.where for s in facts.stated["took",]} == {"header", "terminal", "trust", "json", "profile.json"}


def test_costs_beside_time_have_one_value(tmp_path: Path) -> None:
    """CPU time, waiting and resident sets are those of the JSON in the table, the side panel and a range."""
    run = run_of_profile(waits())
    facts = facts_of(write_report(run, tmp_path / "out"), run)
    assert not facts.differences()
    for cost in COSTS:
        assert {s.where for s in facts.stated[cost, "fit"]} == {"table", "panel", "range", "json"}
    assert {s.where for s in facts.stated["largest resident set",]} == {"header", "timeline", "json"}


def test_waiting_and_the_lock_are_distinguished_everywhere() -> None:
    """The tree, the lines and the notes of the table have the lock beside waiting in the system, a fifth each."""
    shown = overview_of(run_of_profile(waits()))
    found: dict[str, Any] = json.loads(json.dumps(as_json(shown)))
    (solve,) = [scope for scope in found["scopes"] if scope["path"][-1] == "solve"]
    tree = {function["name"]: function["share"] for function in solve["functions"]}
    assert tree == {"waiting": 0.2, "waiting for the GIL": 0.2}
    (line,) = [line for line in found["lines"] if line["line"] == 9]
    assert [line["work"][what]["share"] for what in ("waiting", "waiting_for_lock")] == [0.2, 0.2]
    under = scope_samples(waits())["solve"]
    assert (under.waiting, under.lock) == (0.5, 0.5)
    assert native_note(under).text.replace("\u00a0", " ") == "50 % waiting, 50 % waiting for the GIL"
    costs = {costs["name"]: costs for costs in found["scope_resources"]}["solve"]
    assert (costs["waiting"]["s"], costs["waiting_for_lock"]["s"]) == (0.2, 0.2)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(random_profiles())
def test_of_any_profile(profile: Profile) -> None:
    """Also with recursion, names that are equal, samples of unequal weight, and what takes no time."""
    run = run_of_profile(profile)
    with TemporaryDirectory() as folder:
        assert not facts_of(write_report(run, folder), run).differences()
