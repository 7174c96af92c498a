"""Numbers of paths of scopes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import FrameKind, Profile
from workbench.profile.stacks import ROOT


class ScopePaths:
    """Numbers of paths of scopes, the same for profiles that intern their stacks differently."""

    def __init__(self) -> None:
        self._number: dict[tuple[int, str], int] = {}

    def __len__(self) -> int:
        return len(self._number)

    def of_stacks(self, profile: Profile, kinds: frozenset[FrameKind]) -> NDArray[np.int64]:
        """Return (stacks,) the number of the path of the scopes on each stack, or `ROOT`."""
        names = [frame.name if frame.kind in kinds else None for frame in profile.frames]
        found: list[int] = []
        for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
            path, name = found[parent] if parent != ROOT else ROOT, names[frame]
            found.append(path if name is None else self._number.setdefault((path, name), len(self)))
        return np.array(found, dtype=np.int64)

    def names(self) -> list[tuple[str, ...]]:
        """Return the names on each path, by its number."""
        found: list[tuple[str, ...]] = []
        for parent, name in self._number:
            found.append((*(found[parent] if parent != ROOT else ()), name))
        return found
