"""The GitHub action: valid by its schema, and what its steps do, run in bash as GitHub runs them.

GitHub itself is not here: its files are temporary ones, and its comments are those of a server on a socket, to which
the real `gh` talks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.projects import commit, git, make_repository, text_of

ROOT = Path(__file__).parent.parent
ACTION = ROOT / ".github" / "actions" / "compare" / "action.yml"
CONTENT: Any = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in CONTENT["runs"]["steps"] if "run" in step}
QUICK = {"suite": "bench/steps_suite.py", "options": "--no-install --rounds 6", "comment": "true"}


class Job:
    """A job on GitHub, as far as a step sees it."""

    def __init__(self, folder: Path, checkout: Path, inputs: Mapping[str, str]) -> None:
        self.checkout, self.folder = checkout, folder
        defaults = {name: str(each.get("default", "")) for name, each in CONTENT["inputs"].items()}
        self.context = {f"inputs.{name}": value for name, value in (defaults | dict(inputs)).items()}
        self.context |= {
            "github.action_path": str(ACTION.parent),
            "github.job": "speed",
            "strategy.job-index": "0",
        }
        self.context |= {
            "github.event.number": "7",
            "steps.page.outputs.artifact-url": "https://example.org/page",
        }
        self.summary = folder / "summary.md"
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_BASE_REF": "main",
            "GITHUB_REPOSITORY": "somebody/project",
            "GITHUB_WORKFLOW_REF": "somebody/project/.github/workflows/ci.yml@refs/pull/7/merge",
            "GH_CONFIG_DIR": str(folder / "gh"),
        }

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a step, and take up what it puts out."""
        step = STEPS[name]

        def value_of(match: re.Match[str]) -> str:
            return self.context[match[1]]

        given = {key: re.sub(r"\$\{\{ ([\w.-]+) \}\}", value_of, text) for key, text in step["env"].items()}
        script = self.folder / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.checkout, env=self.environment | given, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        output = Path(self.environment["GITHUB_OUTPUT"])
        for line in output.read_text().splitlines() if output.exists() else ():
            key, _, value = line.partition("=")
            self.context[f"steps.{step.get('id')}.outputs.{key}"] = value
        output.unlink(missing_ok=True)
        return done


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone with its origin's main, and on it a commit that is 1.5 times as slow."""
    make_repository(tmp_path / "origin")
    git(tmp_path, "clone", "--quiet", "origin", "checkout")
    commit(tmp_path / "checkout", project=text_of(1.5))
    return tmp_path / "checkout"


def test_it_is_valid_by_its_schema() -> None:
    """The metadata are what SchemaStore's schema of an action says."""
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-actions",
        str(ACTION),
    ]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_inputs_reach_the_shell_by_variables() -> None:
    """No script has an expression in it: the text of an input is never a command."""
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text(encoding="utf-8")))
    assert used == set(CONTENT["inputs"])


@pytest.mark.parametrize(
    ("inputs", "code", "passes", "begin"),
    [
        pytest.param({}, "1", False, "### REGRESSION 1.50× slower (limit 1.05×)", marks=pytest.mark.proof),
        ({"fail-slower": "60%"}, "0", True, "### FINE 1.50× slower (limit 1.60×)"),
        pytest.param(
            {"options": "--no-install --rounds 3"},
            "3",
            False,
            "### INCONCLUSIVE 1.50× slower",
            marks=pytest.mark.proof,
        ),
        pytest.param(
            {"options": "--no-install --rounds 3", "allow-inconclusive": "true"},
            "3",
            True,
            "### INCONCLUSIVE",
            marks=pytest.mark.proof,
        ),
        ({"suite": "bench/none.py; touch x"}, "2", False, "### NO VERDICT"),
    ],
)
def test_the_verdict_is_the_jobs(
    tmp_path: Path, checkout: Path, inputs: dict[str, str], code: str, passes: bool, begin: str
) -> None:
    """The exit code of the comparison is the job's, and the summary has the verdict whatever it is."""
    job = Job(tmp_path, checkout, QUICK | inputs)
    done = job.run("Compare")
    assert done.returncode == 0, done.stderr
    assert job.context["steps.compare.outputs.exit-code"] == code
    assert job.summary.read_text(encoding="utf-8").startswith(begin)
    assert (Path(job.context["steps.compare.outputs.experiment"]) / "index.html").is_file() == (code != "2")
    assert not (checkout / "x").exists()
    assert job.run("Verdict").returncode == (0 if passes else int(code))


def test_without_a_pull_request_a_baseline_is_asked_for(tmp_path: Path, checkout: Path) -> None:
    """On a push there is no target branch: one line says what to name."""
    job = Job(tmp_path, checkout, QUICK)
    del job.environment["GITHUB_BASE_REF"]
    done = job.run("Compare")
    assert (done.returncode, done.stdout) == (2, "::error::this is no pull request: name a baseline\n")


def test_the_workbench_of_the_action_is_installed() -> None:
    """The path that pip gets, with the extra that comparing needs, is that of this project."""
    words = STEPS["Install the workbench of this action's version"]["run"].split()
    assert words[-1] == '"$ACTION/../../..[bench]"'
    assert (ACTION.parent / "../../..").samefile(ROOT)


@pytest.fixture
def comments(tmp_path: Path) -> Iterator[dict[int, str]]:
    """The comments of a pull request, on a server to which `gh` talks through a socket."""
    if shutil.which("gh") is None:
        pytest.skip("gh is not installed")
    kept = {1: "Nice work."}

    class Handler(BaseHTTPRequestHandler):
        def answer(self, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def body(self) -> str:
            return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

        def do_GET(self) -> None:
            assert self.path.partition("?")[0] == "/repos/somebody/project/issues/7/comments"
            self.answer([{"id": key, "body": text} for key, text in kept.items()])

        def do_POST(self) -> None:
            assert self.path == "/repos/somebody/project/issues/7/comments"
            kept[max(kept) + 1] = self.body()
            self.answer({})

        def do_PATCH(self) -> None:
            kept[int(self.path.removeprefix("/repos/somebody/project/issues/comments/"))] = self.body()
            self.answer({})

        def address_string(self) -> str:
            return "gh"

        def log_message(self, *words: object) -> None:
            pass

    (tmp_path / "gh").mkdir()
    (tmp_path / "gh" / "config.yml").write_text(f"http_unix_socket: {tmp_path}/socket\n")
    with socketserver.UnixStreamServer(str(tmp_path / "socket"), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()


def test_one_comment_is_kept_up_to_date(tmp_path: Path, checkout: Path, comments: dict[int, str]) -> None:
    """The first run comments, the next replaces that comment, and those of others stay."""
    job = Job(tmp_path, checkout, QUICK | {"token": "x"})
    for verdict in ("REGRESSION", "FINE"):
        (tmp_path / "verdict.md").write_text(f"### {verdict}\n")
        job.context["steps.compare.outputs.markdown"] = str(tmp_path / "verdict.md")
        done = job.run("Comment")
        assert done.returncode == 0, done.stderr
    assert comments[1] == "Nice work."
    (own,) = [text for key, text in comments.items() if key != 1]
    assert own.startswith(
        "<!-- workbench compare somebody/project/.github/workflows/ci.yml@refs/pull/7/merge speed-0 -->\n"
    )
    assert own.endswith("### FINE\n\n[The page with each round](https://example.org/page)\n")
