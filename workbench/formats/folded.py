"""Folded stacks, one line for each distinct stack: `main;fit;predict 1234` (microseconds of self time).

Read by flamegraph.pl, inferno, speedscope and others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.profile import Profile, aggregate


def write_folded(profile: Profile, path: str | Path, *, of: str = "samples") -> None:
    """Write self times of a profile's samples (or spans), merged over tracks, in whole microseconds."""
    Path(path).write_text(folded(profile, of=of), encoding="utf-8", errors="backslashreplace")


def folded(profile: Profile, *, of: str = "samples") -> str:
    """Return the lines, sorted, each ended by a newline; stacks of under half a microsecond are left out.

    `;` separates frames and a line ends a stack, so in a name they stand as `,` and a space.
    """
    tree = aggregate(profile, of=of)
    names = [_clean(frame.name) for frame in profile.frames]
    weights: dict[str, int] = {}
    for stack in np.flatnonzero(tree.self_ns).tolist():
        line = ";".join(names[frame] for frame in profile.stacks.path(stack))
        weights[line] = weights.get(line, 0) + int(tree.self_ns[stack])
    whole = {line: round(weight / 1000) for line, weight in weights.items()}
    return "".join(f"{line} {weight}\n" for line, weight in sorted(whole.items()) if weight > 0)


def _clean(name: str) -> str:
    return " ".join(name.replace(";", ",").split()) or "(no name)"
