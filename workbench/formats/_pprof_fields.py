"""Numbers of the fields in pprof's messages, and the names that our files have in them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType

from workbench.profile import FrameKind


class ProfileField(IntEnum):
    """Fields of the whole file."""

    SAMPLE_TYPE = 1
    SAMPLE = 2
    MAPPING = 3
    LOCATION = 4
    FUNCTION = 5
    STRING_TABLE = 6
    TIME_NANOS = 9
    DURATION_NANOS = 10
    PERIOD_TYPE = 11
    PERIOD = 12
    DEFAULT_SAMPLE_TYPE = 14


class ValueTypeField(IntEnum):
    """What an amount is, and its unit: strings."""

    TYPE = 1
    UNIT = 2


class SampleField(IntEnum):
    """A stack, the innermost location first, with its amounts and labels."""

    LOCATION_ID = 1
    VALUE = 2
    LABEL = 3


class LabelField(IntEnum):
    """A string or a number, and what it is."""

    KEY = 1
    STR = 2
    NUM = 3


class MappingField(IntEnum):
    """A file that is loaded, and what is known of its code."""

    ID = 1
    FILENAME = 5
    HAS_FUNCTIONS = 7
    HAS_FILENAMES = 8
    HAS_LINE_NUMBERS = 9
    HAS_INLINE_FRAMES = 10


class LocationField(IntEnum):
    """A place in the code: several lines where functions are inlined, the innermost first."""

    ID = 1
    MAPPING_ID = 2
    LINE = 4


class LineField(IntEnum):
    """A line of a function."""

    FUNCTION_ID = 1
    LINE = 2


class FunctionField(IntEnum):
    """A function and its file: strings."""

    ID = 1
    NAME = 2
    SYSTEM_NAME = 3
    FILENAME = 4
    START_LINE = 5


class SampleLabel(StrEnum):
    """Keys of the labels that we write."""

    THREAD = "thread"
    TID = "thread_id"
    PROCESS = "process"
    PID = "pid"
    SCOPE = "scope"


SAMPLES, WALL, CPU = ("samples", "count"), ("wall", "nanoseconds"), ("cpu", "nanoseconds")
CALLS, SCOPES = ("scope_calls", "count"), ("scopes", "nanoseconds")
OF_KIND: Mapping[FrameKind, str] = MappingProxyType(
    {FrameKind.SCOPE: "[scopes]", FrameKind.PYTHON: "[python]", FrameKind.IDLE: "[waiting]"}
)
"""The mapping of each kind of frame; that of a native one is its file."""
NATIVE = "[native]"
"""The mapping of native frames without a file."""
