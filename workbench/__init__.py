"""Where does the time go, which change helps, and what does it cost in quality?

Importing this package imports no NumPy: guards may stand in any program.
"""

from workbench.scopes import Recording, RecordingError, record, scope

__all__ = ["Recording", "RecordingError", "__version__", "record", "scope"]

__version__ = "0.1.0"
