"""Run the long tests (`pytest -m proof`) and write docs/measured/proofs.{md,json}: each promise with its outcome.

    python benchmarks/proofs.py                    all, about three hours and a half
    python benchmarks/proofs.py tests/capture      some: the others stay on the page as they were, with their dates

The exit code is pytest's own, so that a failed test fails `make proof`. The other pages of docs/measured are measured,
not tested.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import pytest
from measured import FOLDER, write_page


@dataclass
class Proof:
    """One long test."""

    test: str
    promise: str
    outcome: str = "not run"
    seconds: float = 0.0
    date: str = ""
    figures: dict[str, str] = field(default_factory=dict)
    """What the test found, by what that is."""


class Collector:
    """A plugin of pytest that keeps the promise and the outcome of each test."""

    def __init__(self) -> None:
        self.proofs: dict[str, Proof] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the tests that will run, with the first line of their docstrings."""
        for item in session.items:
            text = (getattr(getattr(item, "function", None), "__doc__", None) or item.name).strip()
            self.proofs[item.nodeid] = Proof(item.nodeid, text.partition("\n")[0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a test, which has failed where any of its phases has."""
        proof = self.proofs[report.nodeid]
        proof.seconds = round(proof.seconds + report.duration, 1)
        if report.outcome != "passed":
            proof.outcome = report.outcome
        if report.when == "call":
            proof.figures = {str(name): str(value) for name, value in report.user_properties}
        if report.outcome == "passed" and report.when == "call" and proof.outcome == "not run":
            proof.outcome = "passed"


def lines_of(proofs: list[Proof]) -> list[str]:
    """Return the page's lines, a row for each promise."""
    passed = sum(proof.outcome == "passed" for proof in proofs)
    lines = [
        "",
        f"{passed} of {len(proofs)} passed.",
        "",
        "| promise | outcome | found | seconds | when (UTC) | test |",
        "|---|---|---|---:|---|---|",
    ]
    cases: dict[str, list[Proof]] = {}
    for proof in proofs:
        cases.setdefault(proof.test.partition("[")[0], []).append(proof)
    for test, group in cases.items():
        outcomes = Counter(proof.outcome for proof in group)
        outcome = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
        promise = group[0].promise.replace("|", "\\|")
        seconds = sum(proof.seconds for proof in group)
        found = "; ".join(f"{name}: {value}" for proof in group for name, value in proof.figures.items())
        found = found.replace("|", "\\|")
        lines.append(f"| {promise} | {outcome} | {found} | {seconds:.0f} | {group[-1].date} | `{test}` |")
    return lines


def earlier(known: set[str]) -> dict[str, Proof]:
    """Return what the page has of tests that are still there."""
    try:
        rows = json.loads((FOLDER / "proofs.json").read_text(encoding="utf-8"))["proofs"]
    except OSError:
        return {}
    return {row["test"]: Proof(**row) for row in rows if row["test"] in known}


def main() -> None:
    """Run the tests and write the page."""
    everything = Collector()
    pytest.main(["-m", "proof", "--collect-only", "-qq"], plugins=[everything])
    collector = Collector()
    code = pytest.main(["-m", "proof", "--timeout", "3600", *sys.argv[1:]], plugins=[collector])
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    done = {name: replace(proof, date=now) for name, proof in collector.proofs.items()}
    found = earlier(set(everything.proofs)) | {n: p for n, p in done.items() if p.outcome != "not run"}
    proofs = [found.get(name, proof) for name, proof in everything.proofs.items()]
    content = {"proofs": [asdict(proof) for proof in proofs]}
    write_page("proofs", "What long tests prove", content, lines_of(proofs), FOLDER)
    print(f"written to {FOLDER}/proofs.md")
    sys.exit(int(code))


if __name__ == "__main__":
    main()
