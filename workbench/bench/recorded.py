"""An arm recorded and sampled, for what explains a run: never one that is measured."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.bench.arm import WORKER
from workbench.capture.program import CaptureOptions, run_program
from workbench.capture.samplers import IN_PROCESS
from workbench.formats.speedscope import write_speedscope

SAMPLES_FILE = "samples.speedscope.json.gz"


def record_arm(request: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    """Run the arm of a request, recorded and sampled, into the folder `record`.

    The in-process sampler's samples are in the recording. Those of another sampler, with the scopes above them, are in
    `SAMPLES_FILE`, a profile with its name. The arm runs in a process of its own, below this one, so that whoever ends
    this one's group ends both.

    Args:
        request: The arm's, with `record` and `sampler`.
        scratch: A folder that somebody else removes, also where this process is killed.

    Returns:
        The arm's `error`; without one, whether there are `scopes`, and `said`, why there are not the samples that
        were asked for.
    """
    folder, answer = Path(request["record"]), scratch / "recorded.json"
    worker = (*WORKER, json.dumps({**request, "record": None}), str(answer))
    capture = run_program(
        CaptureOptions(
            program=worker,
            folder=folder,
            sampler=request["sampler"],
            input=subprocess.DEVNULL,
            output=subprocess.DEVNULL,
        )
    )
    ran = json.loads(answer.read_text()) if answer.is_file() else {"error": _ended(capture.returncode)}
    if ran["error"] is not None:
        return {"error": ran["error"]}
    if capture.merged is not None and not capture.one_clock:
        write_speedscope(replace(capture.merged, name=capture.sampler), folder / SAMPLES_FILE)
    is_another = request["sampler"] == "auto" and not capture.sampler.startswith(IN_PROCESS)
    said = capture.warnings[:1] if is_another or capture.sampling_failed else ()
    return {"error": None, "scopes": capture.scopes is not None, "said": "".join(said)}


def _ended(code: int) -> str:
    return f"it ended with exit code {code} and no result"
