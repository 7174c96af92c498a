"""Fifty attaches to a program that works: it goes on as if nothing had been, by each way that is at hand."""

from __future__ import annotations

import pytest

from tests.helpers.attached import PROGRAMS, Running, pythons, state_of
from tests.helpers.processes import wait_until
from workbench.capture.attach import attach
from workbench.capture.program import CaptureOptions
from workbench.capture.running import running_program
from workbench.capture.samplers import Sampling

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]
ATTACHES = 50


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_fifty_attaches(python, tmp_path, record_property):
    """Threads, files, mapped logs, signals, environment, result and exit code are those of a program left alone."""
    samples = scopes = 0
    with Running(tmp_path / "program", PROGRAMS["threads"], python) as program:
        before = state_of(program.pid)
        running = running_program(program.pid)
        sampling = Sampling(rate=200)
        for _ in range(ATTACHES):
            options = CaptureOptions(running.command, tmp_path / "out", sampling, pid=program.pid)
            capture = attach(options, running, 0.3, say=lambda warning: None, tell=lambda text: None)
            assert not capture.sampling_failed
            samples += capture.sample_count
            attribution = capture.merged.attribution if capture.merged is not None else None
            scopes += attribution.attributed if attribution is not None else 0
            wait_until(lambda: state_of(program.pid) == before)
        assert program.end() == ("done\n", "", 7)
    assert scopes > 0
    for what, count in (("way", capture.sampler), ("samples", samples), ("under scopes", scopes)):
        record_property(f"{running.python}: {what}", count)
