"""Profiling a block of a program that cannot be started by `workbench profile`: a notebook's cell, a service."""

from __future__ import annotations

import contextlib
import html
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from workbench.capture.around import Code, frames_around, without_around
from workbench.capture.cells import cell_texts, cells_of
from workbench.capture.collect import collect_recording, has_spans, keep_sampler_files, rank_prefix
from workbench.capture.load import RECORDING
from workbench.capture.program import Capture, CaptureOptions, refused_warning
from workbench.capture.samplers import (
    DEFAULT_RATE,
    FILES,
    IN_PROCESS,
    NONE,
    PYINSTRUMENT,
    SESSION,
    SamplerName,
    Sampling,
    make_sampler,
)
from workbench.capture.samplers.base import ProgramRun, Request, Sampler, SamplerResult
from workbench.capture.samplers.in_process import why_in_process_not
from workbench.capture.sent_functions import with_sent_functions
from workbench.capture.warnings import CaptureWarning, Cause, warning_text
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder, cannot_write
from workbench.profile import Profile, with_file_names, without_samples
from workbench.report.profile.files import profile_folder, write_profile_files
from workbench.report.profile.notebook import output_html
from workbench.report.profile.overview import as_text, overview_of
from workbench.report.profile.page import PAGE
from workbench.report.profile.run import ProfileRun, run_of_capture
from workbench.scopes import RecordingError, record
from workbench.scopes.environment import SAMPLE_VARIABLE, member
from workbench.scopes.error import log_line
from workbench.scopes.recording import is_recorded_from_outside

if TYPE_CHECKING:
    from workbench.capture.pyinstrument_session import PyinstrumentSession

CHOICES = ("auto", IN_PROCESS, PYINSTRUMENT, NONE)


@dataclass
class ProfiledRun:
    """What a block was seen to do. Page and profile are there when the block is over."""

    folder: Path
    page: Path | None = None
    """The page, to be opened in a browser; None before the end, and where nothing was recorded."""
    profile: Profile | None = field(default=None, repr=False)
    """Scopes, with the samples under them."""

    _shown: ProfileRun | None = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: summary, flame graph and lines, without a script, and a link to the page."""
        if self.page is None or self._shown is None:
            return f"<p>no profile in {html.escape(str(self.folder))} yet</p>"
        return output_html(self._shown, self.page)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Print what IPython shows in a terminal: the same as `workbench show`."""
        if self._shown is None:
            printer.text(repr(self))
            return
        printer.text("\n".join(as_text(overview_of(self._shown), printer.max_width)))


class profiled:  # noqa: N801  a keyword to its users: `with profiled("profiles/fit"):`
    """Profile a block, and write what `workbench profile` writes of a program: scopes, samples and the page.

    ``with workbench.profiled("profiles/fit") as run: ...``; behind the block `run.page` is the path of the page and
    `run.profile` the profile. All threads and tasks, and the processes that are started, are recorded and sampled.
    Where the in-process sampler cannot run, one line says so and pyinstrument samples the thread of the block. What
    the block raises goes on, and what was seen until then is kept. An earlier profile in the folder is replaced.

    Where the program is being recorded from outside (`workbench profile`, WORKBENCH_RECORD) that goes on, a line
    says so, and there is no page. Where the files cannot be written at the end, a line says why, and there is none
    either: a block that succeeded does not fail by its profile. Enter and leave it on one thread.

    Args:
        folder: Where the profile goes; made if it is not there.
        rate: Samples a second, 1 to 1000.
        native: Sample C frames too, where the sampler can.
        sampler: "auto", "in-process", "pyinstrument" or "none".
        title: The page's heading; the folder's name by default.

    Raises:
        InvalidInputError: The rate is out of range, there is no such sampler, another such block is running, something
            in the folder that is not of a profile is in the way, or another process is writing there.
        WorkbenchError: The folder cannot be written when the block begins.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        rate: int = DEFAULT_RATE,
        native: bool = True,
        sampler: SamplerName = "auto",
        title: str | None = None,
    ) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise InvalidInputError(
                f'profiled takes a folder, as in profiled("profiles/fit"), not {folder!r}'
            )
        if sampler not in CHOICES:
            raise InvalidInputError(f"sampler {sampler!r} cannot sample a block: choose {', '.join(CHOICES)}")
        # A program that changes its folder in the block finds its files where it began.
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100  links stay, as in the recorder
        self._options = CaptureOptions(
            program=(title or self._folder.name,),
            folder=self._folder,
            sampling=Sampling(sampler, rate, native),
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
            self._block = _Block(self._options, self.write)
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
        try:
            block.end(error)
        except (WorkbenchError, OSError) as problem:
            log_line(str(problem))  # the block's own end, good or bad, is the one to report
        except Exception as problem:
            if error is None:
                raise
            log_line(str(problem))
        finally:
            self._release()

    def _release(self) -> None:
        global _running
        self._block, _running = None, None

    def write(self, capture: Capture) -> list[Path]:
        """Write the files of what was seen; return them. Whoever shows it in another way overrides this."""
        return write_profile_files(capture)


_lock = threading.Lock()
_running: tuple[int, str] | None = None
"""The process in which a block runs, and its folder."""


class _Block:
    """One run of a block, from its begin to its files."""

    def __init__(self, options: CaptureOptions, write: Callable[[Capture], list[Path]]) -> None:
        self.run = ProfiledRun(options.folder)
        self._write_files = write
        self._session: PyinstrumentSession | None = None
        self._options = options
        self._pid = os.getpid()
        self._recording = record(options.folder / RECORDING, replace=True)
        self._output: OutputFolder | None = None
        self._files = contextlib.ExitStack()
        self._warnings: list[CaptureWarning] = []
        self._refused: list[Cause] = []
        self._around: tuple[Code, ...] = ()
        self._request = Request(options.folder.name, options.folder, options.sampling)
        self._sampler: Sampler | None = None
        self._variable = os.environ.get(SAMPLE_VARIABLE)
        self._started = time.monotonic()

    def _choose(self) -> Sampler | None:
        """Return the sampler."""
        wanted = self._options.sampling.sampler
        if wanted in ("auto", IN_PROCESS):
            why = why_in_process_not()
            if why is None:
                return make_sampler(IN_PROCESS, self._request)
            self._refused.append(Cause(why))
        if wanted in ("auto", PYINSTRUMENT):
            return make_sampler(PYINSTRUMENT, self._request)
        return None

    def begin(self, caller: FrameType) -> None:
        """Record and sample; where somebody records already, do nothing."""
        try:
            if self._begin_recording():
                self._begin_sampling(caller)
        except BaseException:
            if self._session is not None:
                self._session.leave()
            self._end_recording()
            self._close()
            raise

    def _close(self) -> None:
        if os.getpid() == self._pid:
            self._files.close()

    def _begin_recording(self) -> bool:
        """Return whether it is ours, and not one from outside that goes on."""
        folder = self._options.folder
        try:
            if is_recorded_from_outside():  # which may be writing into the same folder
                self._recording.__enter__()
                return False
            output = self._files.enter_context(profile_folder(self._options, member=member()))
            self._options = replace(self._options, output_folder=output)
            self._request = replace(self._request, files=self._files.enter_context(output.scratch()))
            self._sampler = self._choose()
            if self._sampler is not None:  # the recorder starts the in-process one by its variable
                os.environ.update(self._sampler.environment())
            self._recording.__enter__()
            self._output = output
            for name in FILES:
                output.remove(rank_prefix(output) + name)
        except OSError as error:
            raise cannot_write(folder, error) from None
        except RecordingError as error:
            raise (InvalidInputError if error.refused else WorkbenchError)(str(error)) from None
        return True

    def _begin_sampling(self, caller: FrameType) -> None:
        self._around = frames_around(caller)
        name = NONE if self._sampler is None else self._sampler.name
        if name == PYINSTRUMENT:
            from workbench.capture.pyinstrument_session import PyinstrumentSession, not_installed

            try:
                self._session = PyinstrumentSession(
                    str(self._request.files / SESSION), self._options.sampling.rate
                )
            except ImportError:
                self._refused.append(Cause(not_installed()))
                self._sampler, name = None, NONE
        if self._refused:
            self._warn(refused_warning(self._refused, None if name == NONE else name))
        if self._session is not None:
            self._session.begin(caller)

    def _end_recording(self) -> None:
        self._recording.__exit__(None, None, None)
        self._restore()

    def _restore(self) -> None:
        """Let processes that are started from now on be as before."""
        if self._variable is None:
            os.environ.pop(SAMPLE_VARIABLE, None)
        else:
            os.environ[SAMPLE_VARIABLE] = self._variable

    def end(self, error: BaseException | None) -> None:
        """Stop, and write what was seen."""
        try:
            if self._session is not None:
                self._session.finish()
        except BaseException:  # Ctrl-C: once more, so that nothing of ours goes on
            if self._session is not None:
                self._session.leave()
            raise
        finally:
            self._end_recording()
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
        recorded = collect_recording(self._output, self._warn)
        if recorded is not None:
            recorded = without_around(recorded, self._around)
        found = SamplerResult(None, 0, failed=self._options.sampling.sampler != NONE)
        if self._sampler is not None:
            run = ProgramRun(self._request, self._pid, self._started, ended, True, recorded)
            found = self._sampler.collect(run, self._warn)
        keep_sampler_files(self._output, self._request.files, self._warn)
        texts = cell_texts()
        recorded, merged = (
            profile and with_sent_functions(profile, texts.get, texts)
            for profile in (recorded, found.profile)
        )
        cells = cells_of(profile for profile in (recorded, merged) if profile is not None)
        names = {cell.file: cell.name for cell in cells}
        recorded = recorded and with_file_names(recorded, names)
        merged = merged and with_file_names(merged, names)
        self.run.profile = merged or recorded
        capture = Capture(
            options=self._options,
            returncode=_code(error),
            seconds=ended - self._started,
            sampler=NONE if self._sampler is None else self._sampler.label,
            sample_count=found.count,
            scopes=without_samples(recorded) if recorded is not None and has_spans(recorded) else None,
            merged=merged,
            sampling_failed=found.failed,
            warnings=tuple(self._warnings),
            one_clock=found.one_clock,
            cells=cells,
        )
        if self._write_files(capture):  # else another rank of this job makes the page
            self.run.page = folder / PAGE
            self.run._shown = run_of_capture(capture)

    def _warn(self, warning: CaptureWarning) -> None:
        self._warnings.append(warning)
        log_line(warning_text(warning))


def _caller(frame: FrameType) -> FrameType:
    """Return the frame of a block, from the one that entered it: an ExitStack's, maybe."""
    while frame.f_back is not None and frame.f_code.co_filename == contextlib.__file__:
        frame = frame.f_back
    return frame


def _code(error: BaseException | None) -> int:
    """Return the exit code of a program that such an error ends."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if error is None else 130 if isinstance(error, KeyboardInterrupt) else 1
