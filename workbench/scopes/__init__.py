"""What a user's program imports: guards, and the recorder behind them.

Standard library only, and little of that, so that a program pays next to nothing for guards it does not use.
"""

from workbench.scopes import recording
from workbench.scopes.engine import counter, mark, scope
from workbench.scopes.error import RecordingError
from workbench.scopes.recording import Recording, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.scopes._carry import carry

__all__ = ["Recording", "RecordingError", "carry", "counter", "mark", "record", "scope"]


def __getattr__(name: str) -> object:
    if name == "carry":  # loaded where it is used: most programs send nothing
        from workbench.scopes._carry import carry

        return carry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


recording.start_from_environment()
