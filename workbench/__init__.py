"""Where does the time go, which change helps, and what does it cost in quality?

Importing this package imports no NumPy: guards may stand in any program.
"""

from workbench.scopes import Recording, RecordingError, counter, mark, record, scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.capture.load import load
    from workbench.report.profiled import profiled
    from workbench.scopes import carry

__all__ = [
    "Recording",
    "RecordingError",
    "__version__",
    "carry",
    "counter",
    "load",
    "mark",
    "profiled",
    "record",
    "scope",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "carry":  # loaded where it is used: most programs send nothing
        from workbench.scopes import carry

        return carry
    if (
        name == "load"
    ):  # it needs NumPy: to whoever checks what this package imports, the import is no part of it
        from importlib import import_module

        return import_module("workbench.capture.load").load
    if name == "profiled":  # the same
        from importlib import import_module

        return import_module("workbench.report.profiled").profiled
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
