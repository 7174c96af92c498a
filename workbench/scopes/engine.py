"""Which recorder is in use: the native one, or the one in Python where there was no compiler.

`WORKBENCH_RECORDER=python` asks for the second. Both have the same guard, write the same log and pass the same
tests; `workbench doctor` says which one is in use.
"""

from __future__ import annotations

import os

from workbench.scopes import _decorate

TYPE_CHECKING = False

VARIABLE = "WORKBENCH_RECORDER"

if TYPE_CHECKING:
    from workbench.scopes._python import Recorder, Track, activate, counter, mark, open_scopes, scope

    name: str
    refused: str
    """Why the native one does not serve this Python; empty: it does, or was not compiled, or not asked for."""
else:
    name, refused = "python", ""
    if os.environ.get(VARIABLE) != "python":
        try:
            from workbench.scopes._native import Recorder, Track, activate, counter, mark, open_scopes, scope

            name = "native"
        except ModuleNotFoundError:
            pass
        except ImportError as error:
            refused = str(error)
    if name == "python":
        from workbench.scopes._python import Recorder, Track, activate, counter, mark, open_scopes, scope

_decorate.new_guard = scope

__all__ = [
    "VARIABLE",
    "Recorder",
    "Track",
    "activate",
    "counter",
    "mark",
    "name",
    "open_scopes",
    "refused",
    "scope",
]
