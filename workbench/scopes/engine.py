"""The recorder in use: the native one, or the one in Python where the extension was not compiled.

`WORKBENCH_RECORDER=python` selects the second. Both have the same `scope`, write the same log and pass the same
tests. `workbench doctor` shows which one is in use. Where memory is traced, the second one does it.
"""

from __future__ import annotations

import os

from workbench.scopes import _decorate
from workbench.scopes.environment import MEMORY, SAMPLE_VARIABLE

TYPE_CHECKING = False

VARIABLE = "WORKBENCH_RECORDER"

if TYPE_CHECKING:
    from workbench.scopes._python import Recorder, RecorderTrack, activate, counter, mark, open_scopes, scope

    name: str
    refused: str
    """Why the native one does not support this Python; empty if it does, was not compiled, or was not selected."""
else:
    name, refused = "python", ""
    traces_memory = os.environ.get(SAMPLE_VARIABLE) == MEMORY
    if os.environ.get(VARIABLE) != "python" and not traces_memory:
        try:
            from workbench.scopes._native import Recorder, activate, counter, mark, open_scopes, scope
            from workbench.scopes._native import Track as RecorderTrack

            name = "native"
        except ModuleNotFoundError:
            pass
        except ImportError as error:
            refused = str(error)
    if name == "python":
        from workbench.scopes._python import (
            Recorder,
            RecorderTrack,
            activate,
            counter,
            mark,
            open_scopes,
            scope,
        )
    if traces_memory:
        from workbench.scopes._memory import MemoryRecorder as Recorder

_decorate.scope_class = scope

__all__ = [
    "VARIABLE",
    "Recorder",
    "RecorderTrack",
    "activate",
    "counter",
    "mark",
    "name",
    "open_scopes",
    "refused",
    "scope",
]
