"""Functions that were sent to workers: their files are those of the source that has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from workbench.capture.sources import functions_in
from workbench.profile import Frame, Profile, is_own, with_frames

SENT = "<dynamic-code>"
"""What cloudpickle names the file of a function that it sends by its code: one of the main script, a cell, or a
function."""
_INNER = re.compile(r"\.<locals>\.<.*")
"""Of the name of a comprehension or lambda, behind the function that it is in."""


def with_sent_functions(
    profile: Profile, text_of: Callable[[str], str | None], others: Iterable[str] = ()
) -> Profile:
    """Return a profile in which functions that were sent to workers are in the file that they come from.

    That is the one file with a function of that name around all lines of it that were sampled. Where there is none, or
    are several, nobody knows it, and the function stays as it is.

    Args:
        profile: What to rename in.
        text_of: Returns the text of a source file, or None.
        others: Files to look into beside those of the profile's own frames.
    """
    places = [*profile.frames, *profile.lines.places]
    lines: dict[str, set[int]] = {}
    for frame in places:
        if frame.file == SENT:
            lines.setdefault(frame.name, set()).update({frame.line} - {0})
    if not lines:
        return profile
    known = [frame.file for frame in profile.frames if is_own(frame.file) and not frame.file.startswith("<")]
    found: dict[str, list[str]] = {name: [] for name in lines}
    for file in dict.fromkeys([*known, *others]):
        functions = functions_in((text_of(file) or "").splitlines())
        for name, seen in lines.items():
            wanted = _INNER.sub("", name)
            of_name = [(first, last) for each, first, last in functions if each == wanted]
            if any(all(first <= line <= last for line in seen) for first, last in of_name):
                found[name].append(file)

    def renamed(frame: Frame) -> Frame:
        files = found[frame.name] if frame.file == SENT else []
        return frame._replace(file=files[0]) if len(files) == 1 else frame

    return with_frames(profile, renamed)
