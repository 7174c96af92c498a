"""Where does the time go, which change helps, and what does it cost in quality?

Importing this package imports no NumPy: any program can use scopes. Where a process is recorded that happens before
pytest is imported, which is not to warn of it: PYTEST_DONT_REWRITE.
"""

from workbench.scopes import Recording, RecordingError, counter, mark, record, scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.capture.load import load
    from workbench.report.profile.profiled import profiled
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


_LAZY = {
    "carry": "workbench.scopes",
    "load": "workbench.capture.load",
    "profiled": "workbench.report.profile.profiled",
}
"""Names that are imported when they are used: most programs need none, and the last two need NumPy."""


def load_ipython_extension(shell: object) -> None:
    """Define `%profile`, `%%profile` and `%%bench`; IPython calls it for `%load_ext workbench`."""
    try:
        from workbench.cli.notebook import define_magics
    except ModuleNotFoundError as error:
        from IPython.core.error import UsageError

        from workbench.extras import missing_extra

        line = missing_extra(error, "profile")
        if line is None:
            raise
        raise UsageError(f"%load_ext workbench: {line}") from None
    define_magics(shell)


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(_LAZY[name])
    except ModuleNotFoundError as error:
        from workbench.extras import missing_extra

        line = missing_extra(error, "profile")
        if line is None:
            raise
        raise ModuleNotFoundError(f"workbench.{name}: {line}", name=error.name) from None
    return getattr(module, name)
