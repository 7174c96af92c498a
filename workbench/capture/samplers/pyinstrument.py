"""pyinstrument: one thread of one process, without native frames, sampled by hooks that the program runs."""

from __future__ import annotations

import importlib.util

from workbench.capture import autostart
from workbench.capture.attribution import attribute
from workbench.capture.pyinstrument_session import not_installed
from workbench.capture.samplers import SESSION
from workbench.capture.samplers.base import (
    ProgramRun,
    Sampled,
    Sampler,
    Warn,
    count_samples,
    what_is_kept,
)
from workbench.errors import InvalidInputError
from workbench.formats.pyinstrument import read_pyinstrument


class Pyinstrument(Sampler):
    """Started by the program's first process itself; its session file is saved when that ends."""

    name = "pyinstrument"

    def why_not(self) -> str | None:
        """Return in one line why it cannot be used here, None: it can."""
        if importlib.util.find_spec("pyinstrument") is None:
            return not_installed()
        return autostart.why_not_installed()

    def order(self) -> str:
        """Return what the program's first process is told to do at its start."""
        return f"{autostart.PYINSTRUMENT}:{self._request.sampling.rate}:{self._request.files.resolve() / SESSION}"

    def collect(self, run: ProgramRun, warn: Warn) -> Sampled:
        """Return what was seen under the scopes that lines show."""
        file = run.request.files / SESSION
        if not file.is_file():
            warn(
                "pyinstrument saved no session (the program was killed, left by os._exit, or did not load "
                f"{autostart.PTH}); {what_is_kept(run.scopes)}"
            )
            return Sampled(None, 0, failed=True)
        try:
            sampled = read_pyinstrument(file, pid=run.pid, name=run.request.name, lines=True, trim=True)
        except InvalidInputError as error:
            warn(f"the samples cannot be read: {error}; {what_is_kept(run.scopes)}")
            return Sampled(None, 0, failed=True)
        profile = attribute(sampled, run.scopes)
        return Sampled(profile, count_samples(profile), failed=False)
