"""pyinstrument: one thread of one process, without native frames, sampled by hooks that the program runs."""

from __future__ import annotations

import importlib.util

from workbench.capture import autostart
from workbench.capture.attribution import attribute
from workbench.capture.pyinstrument_session import not_installed
from workbench.capture.samplers import SESSION
from workbench.capture.samplers.base import (
    ProgramRun,
    Sampler,
    SamplerResult,
    count_samples,
    no_samples,
)
from workbench.capture.warnings import CaptureWarning, Cause, Warn, WarningCode
from workbench.errors import InvalidInputError, Remedy
from workbench.formats.pyinstrument import read_pyinstrument


class Pyinstrument(Sampler):
    """Started by the program's first process itself; its session file is saved when that ends."""

    name = "pyinstrument"

    def why_not(self) -> Cause | None:
        """Return why it cannot be used here, None: it can."""
        if importlib.util.find_spec("pyinstrument") is None:
            return Cause(not_installed())
        why = autostart.why_not_installed()
        return None if why is None else Cause(why)

    def order(self) -> str:
        """Return what the program's first process is to do at its start."""
        return f"{autostart.PYINSTRUMENT}:{self._request.sampling.rate}:{self._request.files.resolve() / SESSION}"

    def collect(self, run: ProgramRun, warn: Warn) -> SamplerResult:
        """Return what was seen under the scopes that lines show."""
        file = run.request.files / SESSION
        if not file.is_file():
            cause = Cause(
                "pyinstrument saved no session (the program was killed, left by os._exit, or did not load "
                f"{autostart.PTH})"
            )
            warn(no_samples(cause, run.scopes))
            return SamplerResult(None, 0, failed=True)
        try:
            sampled = read_pyinstrument(file, pid=run.pid, name=run.request.name, lines=True, trim=True)
        except InvalidInputError as error:
            warn(no_samples(Cause(f"the samples cannot be read: {error}"), run.scopes))
            return SamplerResult(None, 0, failed=True)
        tracks = run.scopes.tracks if run.scopes is not None else ()
        threads = len({(track.pid, track.tid) for track in tracks if track.spans is not None})
        if threads > 1:
            is_chosen = run.request.sampling.sampler == self.name
            remedies = (Remedy.SAMPLE_IN_PROCESS,) if is_chosen else ()
            warn(CaptureWarning(WarningCode.ONE_THREAD, {"threads": threads}, remedies))
        # It samples at calls and returns: the line is where a function returned, not where its time went.
        profile = attribute(sampled, run.scopes, lines=False)
        return SamplerResult(profile, count_samples(profile), failed=False)
