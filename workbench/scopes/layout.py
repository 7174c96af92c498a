"""The bytes of an event log, described in docs/event-log.md. Little-endian throughout."""

from __future__ import annotations

from struct import Struct

MAGIC = b"WBEVLOG\x01"
VERSION = 1
SUFFIX = ".wblog"
GZIP = b"\x1f\x8b"
"""What a segment begins with that was compressed when its process had ended."""
MANIFEST = "recording.json"

HEADER_SIZE = 4096
HEADER = Struct("<8sIIQIIIIQQ")
"""magic, version, header size, segment size, segment number, pid, parent pid, stopped, monotonic ns, wall ns"""
HEADER_STOPPED = Struct("<I")
HEADER_STOPPED_AT = 36
STOPPED_FULL, STOPPED_BY_ERROR = 1, 2
"""Why the process stopped recording early: the recording reached its limit, or an error occurred."""
HEADER_END_NS = Struct("<Q")
HEADER_END_NS_AT = 56
"""Monotonic time at which the process ended its log; 0 while it runs, and after a kill."""
HEADER_INFO_SIZE = Struct("<I")
HEADER_INFO_SIZE_AT = 64
HEADER_INFO_AT = 128
"""Facts about the process as JSON."""

CHUNK = Struct("<IIQII")
"""size with this header (0: end of the used part), kind, track, zero, zero"""
CHUNK_TEXT, CHUNK_EVENTS, CHUNK_OPEN, CHUNK_SAMPLES, CHUNK_SAMPLER, CHUNK_TRACES = 1, 2, 3, 4, 5, 6
CHUNK_READINGS = 7

TEXT = Struct("<IIQ")
"""bytes of text plus one (0: end of the used part; written last), kind, id; the text follows, padded to 8"""
TEXT_COMMIT = Struct("<I")
TEXT_NAME, TEXT_TRACK, TEXT_SITE, TEXT_CLOCK, TEXT_COST = 1, 2, 3, 4, 5
TEXT_CARRIED, TEXT_FULL, TEXT_CODE, TEXT_MODULE, TEXT_ELSEWHERE = 6, 7, 8, 9, 10
"""What a text is: the name of an id; facts on a track; where the code of an id is; one instant on the monotonic
and on the wall clock; the cost of a scope; a remote parent; deleted segments of a full recording; the code of an id and
how it uses it; a loaded ELF file; a scope that was closed on another track."""

EVENT = Struct("<QIHHQ")
"""start ns, name id, depth, flags, end ns. `pack_into` clears the bytes and writes the end last: an event
whose end is 0 was never completed."""
FLAG_OUT_OF_ORDER = 1
"""The scope was not the innermost when it was closed."""
FLAG_VALUE, FLAG_COUNTER, FLAG_MARK = 2, 4, 8
"""Not an interval: the start holds the bits of a double. A value belongs to the event that follows it on its track,
with the same end; a counter has a value at a time; a mark is a moment and its double is 0."""

OPEN = Struct("<IIQ")
"""name id, zero, start ns (0: this level is not open; written last)"""

SAMPLE_RECORD = Struct("<IIQ")
"""head (type, small and number in 4, 4 and 24 bits; written last), a, b"""
RECORD_NODE, RECORD_CODE, RECORD_THREAD, RECORD_THREAD_NAME, RECORD_SETTING = 1, 2, 3, 4, 5
RECORD_SAMPLE = 8
"""The first of eight types of samples: the type less this is the state in which the thread was."""
NODE_PYTHON, NODE_NATIVE, NODE_SCOPE, NODE_MISSING, NODE_GENERATOR = 0, 1, 2, 3, 4
MISSING_NATIVE, MISSING_PYTHON = 1, 2
SET_TICKS, SET_TIME, SET_CPU, SET_SCOPE_START, SET_TRACK, SET_NUMBERS = 1, 2, 3, 4, 5, 6
"""What a setting sets: ticks, time and CPU time of the next sample; the start of its innermost open scope; the track
whose scopes are open from here on; that nodes and codes are numbered anew from here on."""
SAMPLE_CODE = Struct("<IIII")
"""bytes of name, file and table of lines; bytes of a character: bits 0-1 for the name, 2-3 for the file"""
SAMPLER_STATE = Struct("<16Q")
"""period, start, last tick, ticks, samples, unknown, cut, signals, interrupted system calls, ns in handlers, ns of the
helper, incomplete frames, samples without room, signal, whether with native frames, end"""

TRACES = Struct("<Q")
"""bytes of the JSON that follows, padded to 8; then the numbers of frames, 4 bytes each, padded to 8"""
MEMORY_ENTRY, MEMORY_LEFT, MEMORY_PEAK = "memory: at entry", "memory: left", "memory: peak"
"""Names of numbers that scopes have where memory is traced, in bytes: traced memory of the process at the entry; at the
exit less that; and the largest while the scope was open, less that."""

MAX_DEPTH = 0xFFFF
"""Depths are capped here; deeper scopes keep their intervals and are nested by time."""
