"""Profiling a block of a program that cannot be started by `workbench profile`: a notebook's cell, a service.

Guards and samples read one clock, in one process, so that no clock has to be found out.
"""

from __future__ import annotations

import base64
import contextlib
import html
import os
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote

from workbench.capture.collect import (
    RECORDING,
    SESSION,
    TRACE,
    Sampled,
    collect_pyinstrument,
    collect_scopes,
    keep_sampler_files,
    rank_prefix,
)
from workbench.capture.program import Capture, CaptureOptions
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder
from workbench.pictures.flamegraph import flamegraph_svg
from workbench.profile import Profile, aggregate, drop_idle
from workbench.report.profile_files import profile_folder, write_profile_files
from workbench.report.profile_page import PAGE
from workbench.report.profile_run import has_time
from workbench.scopes import RecordingError, record
from workbench.scopes._job import member
from workbench.scopes._journal import say
from workbench.scopes._recording import is_recorded_from_outside

if TYPE_CHECKING:
    from workbench.capture._pyinstrument_session import PyinstrumentSession

MOST_PREVIEW_BOXES = 600


@dataclass
class ProfiledRun:
    """What a block was seen to do. Page and profile are there when the block is over."""

    folder: Path
    page: Path | None = None
    """The page, to be opened in a browser; None before the end, and where nothing was recorded."""
    profile: Profile | None = field(default=None, repr=False)
    """Scopes, with the samples under them."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a link to the page, and a flame graph in which no script runs."""
        if self.page is None:
            return f"<p>no profile in {html.escape(str(self.folder))} yet</p>"
        link = f'<p><a href="{html.escape(_address(self.page))}" target="_blank">{html.escape(str(self.page))}</a></p>'
        picture = self._picture()
        return link if picture is None else link + picture

    def _picture(self) -> str | None:
        profile = None if self.profile is None else drop_idle(self.profile)
        of = next((of for of in ("samples", "spans") if has_time(profile, of)), None)
        if profile is None or of is None:
            return None
        svg = flamegraph_svg(
            aggregate(profile, of=of), title=self.folder.name, width=900, most_boxes=MOST_PREVIEW_BOXES
        )
        data = base64.b64encode(svg.encode()).decode()
        return f'<img src="data:image/svg+xml;base64,{data}" alt="flame graph" style="max-width:100%">'


class profiled:  # noqa: N801  a keyword to its users: `with profiled("profiles/fit"):`
    """Profile a block, and write what `workbench profile` writes of a program: guards, samples and the page.

    ``with workbench.profiled("profiles/fit") as run: ...``; behind the block `run.page` is the path of the page and
    `run.profile` the profile. Guards of all threads and of processes that are started are recorded; samples are of
    the thread that the block runs on, by pyinstrument, with whatever else an event loop runs there meanwhile. What
    the block raises goes on, and what was seen until then is kept. An earlier profile in the folder is replaced.

    Where the program is being recorded from outside (`workbench profile`, WORKBENCH_RECORD) that goes on, a line
    says so, and there is no page. Where the files cannot be written at the end, a line says why, and there is none
    either: a block that succeeded does not fail by its profile. Enter and leave it on one thread.

    Args:
        folder: Where the profile goes; made if it is not there.
        rate: Samples a second, 1 to 1000.
        title: The page's heading; the folder's name by default.

    Raises:
        InvalidInputError: The rate is out of range, another such block is running, something in the folder that is not
            of a profile is in the way, or another process is writing there.
        WorkbenchError: The folder cannot be written when the block begins.
    """

    def __init__(self, folder: str | os.PathLike[str], *, rate: int = 100, title: str | None = None) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise InvalidInputError(
                f'profiled takes a folder, as in profiled("profiles/fit"), not {folder!r}'
            )
        if type(rate) is not int or not 1 <= rate <= 1000:
            raise InvalidInputError(f"rate {rate!r}: choose 1 to 1000 samples a second")
        # A program that changes its folder in the block finds its files where it began.
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100  links stay, as in the recorder
        self._options = CaptureOptions(
            program=(title or self._folder.name,),
            folder=self._folder,
            rate=rate,
            native=False,
            sampler="pyinstrument",
        )
        self._block: _Block | None = None

    def __enter__(self) -> ProfiledRun:
        global _running
        with _lock:
            if _running is not None and _running[0] == os.getpid():
                one, other = str(self._folder), _running[1]
                raise InvalidInputError(
                    f"profiled({one!r}) is inside profiled({other!r}): end that first, or use scope()"
                )
            _running = (os.getpid(), str(self._folder))
        try:
            self._block = _Block(self._options)
            self._block.begin(_caller(sys._getframe(1)))
        except BaseException:
            self._release()
            raise
        return self._block.run

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        block = self._block
        if block is None:
            return
        if block.session is not None:
            block.session.over = True  # what is seen from now on is our own work; and no call says so
        try:
            block.end(error)
        except (WorkbenchError, OSError) as problem:
            say(_in_python(str(problem)))  # the block's own end, good or bad, is the one to report
        except Exception as problem:
            if error is None:
                raise
            say(str(problem))
        finally:
            self._release()

    def _release(self) -> None:
        global _running
        self._block, _running = None, None


_lock = threading.Lock()
_running: tuple[int, str] | None = None
"""The process in which a block runs, and its folder."""


class _Block:
    """One run of a block, from its begin to its files."""

    def __init__(self, options: CaptureOptions) -> None:
        self.run = ProfiledRun(options.folder)
        self.session: PyinstrumentSession | None = None
        self._options = options
        self._pid = os.getpid()
        self._recording = record(options.folder / RECORDING, replace=True)
        self._output: OutputFolder | None = None
        self._is_ours = False
        self._warnings: list[str] = []
        self._started = time.monotonic()

    def begin(self, caller: FrameType) -> None:
        """Record, and sample the thread of a frame; where somebody records already, do nothing."""
        try:
            self._is_ours = self._begin_recording()
            if self._is_ours:
                self._begin_sampling(caller)
        except BaseException:
            if self.session is not None:
                self.session.give_up()
            self._recording.__exit__(None, None, None)
            self._close()
            raise

    def _close(self) -> None:
        if self._output is not None:
            self._output.close()

    def _begin_recording(self) -> bool:
        """Return whether it is ours, and not one from outside that goes on."""
        folder = self._options.folder
        try:
            if is_recorded_from_outside():  # which may be writing into the same folder
                self._recording.__enter__()
                return False
            self._output = profile_folder(self._options, member=member())
            self._options = replace(self._options, output_folder=self._output)
            self._recording.__enter__()
            for name in (TRACE, SESSION):
                self._output.remove(rank_prefix(self._output) + name)
            self._session_file = self._output.unfinished(SESSION)
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {folder}: {error.strerror}; give profiled() another folder"
            ) from None
        except RecordingError as error:
            raise (InvalidInputError if error.refused else WorkbenchError)(str(error)) from None
        except InvalidInputError as error:
            raise InvalidInputError(_in_python(str(error))) from None
        return True

    def _begin_sampling(self, caller: FrameType) -> None:
        try:
            from workbench.capture._pyinstrument_session import PyinstrumentSession
        except ImportError:
            self._warn(
                "pyinstrument is not installed (pip install pyinstrument): only the guards are recorded"
            )
            return
        self.session = PyinstrumentSession(str(self._session_file), self._options.rate)
        self.session.begin(caller)

    def end(self, error: BaseException | None) -> None:
        """Stop, and write what was seen."""
        try:
            if self.session is not None:
                self.session.finish()
        except BaseException:  # Ctrl-C: once more, so that nothing of ours goes on
            if self.session is not None:
                self.session.give_up()
            raise
        finally:
            self._recording.__exit__(None, None, None)
        try:
            self._write(error)
        finally:
            self._close()

    def _write(self, error: BaseException | None) -> None:
        if self._output is None or os.getpid() != self._pid:  # a forked child leaves the files to its parent
            return
        ended = time.monotonic()
        folder = self._options.folder
        with contextlib.suppress(OSError):  # where the block deleted it; else writing says what is wrong
            self._output.make()
        scopes = collect_scopes(self._output, self._warn)
        merged, count, failed = None, 0, True
        if self.session is not None:
            sampled = Sampled(folder, self._options.rate, self._pid, (), ended, self._session_file)
            merged, count, failed = collect_pyinstrument(sampled, scopes, self._warn)
            keep_sampler_files(self._output, {SESSION: self._session_file}, self._warn)
        self.run.profile = merged or scopes
        capture = Capture(
            options=self._options,
            returncode=_code(error),
            seconds=ended - self._started,
            sampler="none" if self.session is None else "pyinstrument",
            sample_count=count,
            scopes=scopes,
            merged=merged,
            sampling_failed=failed,
            warnings=tuple(self._warnings),
        )
        if write_profile_files(capture):  # else another rank of this job makes the page
            self.run.page = folder / PAGE

    def _warn(self, text: str) -> None:
        text = _in_python(text)
        self._warnings.append(text)
        say(text)


def _caller(frame: FrameType) -> FrameType:
    """Return the frame that a block stands in, from the one that entered it: an ExitStack's, maybe."""
    while frame.f_back is not None and frame.f_code.co_filename == contextlib.__file__:
        frame = frame.f_back
    return frame


def _in_python(text: str) -> str:
    """Return a line with its remedy in Python: who calls `profiled` has no options to give."""
    return text.replace("choose another folder with -o", "give profiled() another folder")


def _code(error: BaseException | None) -> int:
    """Return the exit code of a program that such an error ends."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if error is None else 130 if isinstance(error, KeyboardInterrupt) else 1


def _address(page: Path) -> str:
    """Return what a notebook links a file by: the way from its folder, or else where the file is."""
    page = page.resolve()
    folder = Path.cwd()
    return quote(page.relative_to(folder).as_posix()) if page.is_relative_to(folder) else page.as_uri()
