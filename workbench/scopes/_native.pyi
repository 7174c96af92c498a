import mmap

from workbench.scopes._python import Recorder as Recorder
from workbench.scopes._python import activate as activate
from workbench.scopes._python import counter as counter
from workbench.scopes._python import mark as mark
from workbench.scopes._python import open_scopes as open_scopes
from workbench.scopes._python import scope as scope

def map_file(handle: int, size: int, /) -> mmap.mmap: ...
def release_tracks() -> None: ...
def sampler_why_not() -> str | None: ...
def sampler_start(
    path: str,
    header: bytes,
    period_ns: int,
    native: bool,
    max_bytes: int,
    newest: bool,
    recorder: Recorder,
    /,
) -> None: ...
def sampler_pause() -> None: ...
def sampler_resume() -> None: ...
def sampler_stop() -> int | None: ...
