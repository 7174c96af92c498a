"""An arm recorded and sampled, for what explains a run: never one that is measured."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.capture.program import Capture, CaptureOptions, run_program
from workbench.formats.speedscope import write_speedscope

OF_SAMPLER = ("instead", "only scopes are recorded", "the scopes are recorded", "no scopes were recorded")
"""Words of what a capture says of a sampler that is not the wanted one, or of samples that are not there."""


def sample_arm(request: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    """Run the arm of a request, and write its scopes with the samples under them into the file `sample`.

    The file's profile has the name of the sampler. The arm runs in a process of its own, below this one, so that
    whoever ends this one's group ends both.

    Args:
        request: The arm's, with `sample` and `sampler`.
        scratch: A folder that somebody else removes, also where this process is killed.

    Returns:
        The arm's `error`; without one, `samples`, how many there are (with none there is no file), `impossible`,
        whether there is no sampler at all, and `said`, what went wrong, or that another sampler is used.
    """
    answer = scratch / "sampled.json"
    worker = ("-m", "workbench.bench.worker", json.dumps({**request, "sample": None}), str(answer))
    capture = run_program(
        CaptureOptions(
            program=worker,
            folder=scratch / "capture",
            sampler=request["sampler"],
            input=subprocess.DEVNULL,
            output=subprocess.DEVNULL,
        )
    )
    ran = json.loads(answer.read_text()) if answer.is_file() else {"error": _ended(capture.returncode)}
    if ran["error"] is not None:
        return {"error": ran["error"]}
    if capture.merged is not None and capture.sample_count:
        write_speedscope(replace(capture.merged, name=capture.sampler), request["sample"])
    return {
        "error": None,
        "samples": capture.sample_count,
        "impossible": capture.sampler == "none",
        "said": _said(capture),
    }


def _said(capture: Capture) -> str:
    """Return why samples are not those of the in-process sampler; nothing where they are."""
    if capture.one_clock and capture.sample_count:
        return ""
    said = [text for text in capture.warnings if any(word in text for word in OF_SAMPLER)]
    if said:
        return "; ".join(said)
    if capture.sample_count:
        return f"by {capture.sampler}"
    return "there is no sampler" if capture.sampler == "none" else "the run was over before it was seen"


def _ended(code: int) -> str:
    return f"it ended with exit code {code} and no result"
