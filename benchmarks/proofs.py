"""Run the long tests (`pytest -m proof`) and write docs/measured/proofs.{md,json}: each promise, and what came of it.

    python benchmarks/proofs.py                    all, about half an hour
    python benchmarks/proofs.py tests/capture      some; writes nothing

The exit code is pytest's own, so that what failed fails `make proof`. What is measured rather than tested stands in
the other pages of docs/measured.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pytest
from measured import FOLDER

from workbench.bench.environment import environment


@dataclass
class Proof:
    """One long test."""

    test: str
    promise: str
    outcome: str = "not run"
    seconds: float = 0.0


class Collector:
    """A plugin of pytest that keeps what each test promises and what came of it."""

    def __init__(self) -> None:
        self.proofs: dict[str, Proof] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the tests that will run, by the first line of what they say of themselves."""
        for item in session.items:
            text = (getattr(getattr(item, "function", None), "__doc__", None) or item.name).strip()
            self.proofs[item.nodeid] = Proof(item.nodeid, text.partition("\n")[0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended: what fails in any of its phases has failed."""
        proof = self.proofs[report.nodeid]
        proof.seconds = round(proof.seconds + report.duration, 1)
        if report.outcome != "passed":
            proof.outcome = report.outcome
        elif report.when == "call" and proof.outcome == "not run":
            proof.outcome = "passed"


def page(proofs: list[Proof]) -> str:
    """Return the dated page."""
    facts = environment()
    passed = sum(proof.outcome == "passed" for proof in proofs)
    lines = [
        "# What long tests prove",
        "",
        (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}, {facts['machine']}, {facts['usable_cores']} cores, "
            f"{facts['system']}, Python {facts['python']}, load {facts['load_1min']}. "
            f"Written by `python benchmarks/proofs.py`. {passed} of {len(proofs)} passed."
        ),
        "",
        "| promise | outcome | seconds | test |",
        "|---|---|---:|---|",
    ]
    cases: dict[str, list[Proof]] = {}
    for proof in proofs:
        cases.setdefault(proof.test.partition("[")[0], []).append(proof)
    for test, group in cases.items():
        outcomes = Counter(proof.outcome for proof in group)
        outcome = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
        promise = group[0].promise.replace("|", "\\|")
        seconds = sum(proof.seconds for proof in group)
        lines.append(f"| {promise} | {outcome} | {seconds:.0f} | `{test}` |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Run the tests and write the page."""
    collector = Collector()
    code = pytest.main(["-m", "proof", "--timeout", "3600", *sys.argv[1:]], plugins=[collector])
    proofs = list(collector.proofs.values())
    if proofs and len(sys.argv) == 1:
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "proofs.md").write_text(page(proofs), encoding="utf-8")
        content = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": environment(),
            "proofs": [asdict(proof) for proof in proofs],
        }
        (FOLDER / "proofs.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written to {FOLDER}/proofs.md")
    sys.exit(int(code))


if __name__ == "__main__":
    main()
