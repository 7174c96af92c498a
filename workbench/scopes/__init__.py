"""What a user's program imports: guards, and the recorder behind them.

Standard library only, so that a program pays next to nothing for guards it does not use.
"""

from workbench.scopes import _recording
from workbench.scopes._guard import scope
from workbench.scopes._recording import Recording, RecordingError, record

__all__ = ["Recording", "RecordingError", "record", "scope"]

_recording.start_from_environment()
