"""Reading recordings: from the bytes of event logs to events, and on to spans and samples."""

from workbench.eventlog.log_files import read_process_logs
from workbench.eventlog.recording import is_recording, read_recording

__all__ = ["is_recording", "read_process_logs", "read_recording"]
