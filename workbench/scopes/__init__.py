"""What a user's program imports: scopes, and the recorder behind them.

It imports little of the standard library and nothing else, so that scopes cost a program almost nothing when nothing
records.
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
    if name == "carry":  # loaded on first use: few programs need it
        from workbench.scopes._carry import carry

        return carry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


recording.start_from_environment()
