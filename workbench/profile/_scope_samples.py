"""What a sampler saw under each scope: how often, with an interval, and what was on top in native code.

Native functions have short names there: what they do, without which processor they were compiled for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import WAITING_FOR_GIL, Frame, FrameKind, Profile
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile._scope_time import ThreadTime
from workbench.profile.stacks import ROOT, outermost


@dataclass(frozen=True)
class NativePart:
    """A native function on top of the stack, or all of one short name."""

    name: str
    samples: int
    share: float
    """Of the samples under the scope."""
    symbols: tuple[str, ...]
    """Full names, the most frequent first."""


@dataclass(frozen=True)
class ScopeSamples:
    """What was seen under one scope. `native`, `python`, `waiting` and `lock` together are all of it."""

    name: str
    of_all: SampledShare
    native: tuple[NativePart, ...]
    """The most frequent first."""
    python: float
    """Share of its samples with Python code on top."""
    waiting: float
    """Share of its samples that waited in the system."""
    lock: float = 0.0
    """Share of its samples that waited for the interpreter's lock."""
    of_cpu: SampledShare | None = None
    """Of the CPU time of all threads; None where the sampler does not read it."""
    on_processor: SampledShare | None = None
    """The part of the time inside it in which its threads were on a processor; None where nobody knows."""
    waiting_for_lock: SampledShare | None = None
    """The part of the time inside it in which they waited for the interpreter's lock; None where nobody knows."""


def scope_samples(profile: Profile, *, by_time: bool = False) -> dict[str, ScopeSamples]:
    """Return by name what was seen under each scope, the most seen first.

    A sample under a scope inside itself counts once. Invariant: of each scope the shares of `native`, `python`,
    `waiting` and `lock` add up to 1.

    Args:
        profile: Samples under their scopes, each of one thread; see `SampleCounts.of`.
        by_time: Whether shares are of the time that samples stand for, and not of their number.
    """
    counts = SampleCounts.of(profile, by_time=by_time)
    cpu, times = SampleCounts.of_cpu(profile), ThreadTime.of(profile)
    inside = stacks_by_scope(profile)
    kinds = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    kind = kinds[profile.stacks.frame]
    is_lock = np.array([frame == WAITING_FOR_GIL for frame in profile.frames], dtype=np.bool_)[
        profile.stacks.frame
    ]
    found: list[ScopeSamples] = []
    for name, stacks in inside.items():
        rows = stacks[counts.count[stacks] > 0]
        if not len(rows):
            continue
        whole = float(counts.amount[rows].sum()) or 1.0
        native = rows[kind[rows] == FrameKind.NATIVE]
        idle = rows[kind[rows] == FrameKind.IDLE]
        parts = _native_parts(
            [profile.frames[i] for i in profile.stacks.frame[native]], native, counts, whole
        )
        waits = float(counts.amount[idle].sum()) / whole
        lock = float(counts.amount[idle[is_lock[idle]]].sum()) / whole
        python = max(0.0, 1 - waits - sum(part.share for part in parts))
        found.append(
            ScopeSamples(
                name,
                counts.part(rows),
                parts,
                python,
                waits - lock,
                lock,
                None if cpu is None else cpu.part(rows),
                None if times is None else times.on_processor(rows),
                None if times is None else times.waiting_for_lock(rows),
            )
        )
    return {each.name: each for each in sorted(found, key=lambda each: -each.of_all.share)}


def stacks_by_scope(profile: Profile) -> dict[str, NDArray[np.int64]]:
    """Return by the name of a scope all stacks that it is in."""
    stacks = profile.stacks
    of_frame = [frame.name if frame.kind is FrameKind.SCOPE else None for frame in profile.frames]
    names = [of_frame[i] for i in stacks.frame.tolist()]
    first = outermost(stacks, names)
    around: list[tuple[str, ...]] = []
    found: dict[str, list[int]] = {}
    for stack, (parent, name) in enumerate(zip(stacks.parent.tolist(), names, strict=True)):
        below = around[parent] if parent != ROOT else ()
        around.append((*below, name) if name is not None and first[stack] else below)
        for each in around[stack]:
            found.setdefault(each, []).append(stack)
    return {name: np.array(rows, dtype=np.int64) for name, rows in found.items()}


def _native_parts(
    frames: Sequence[Frame], rows: NDArray[np.int64], counts: SampleCounts, whole: float
) -> tuple[NativePart, ...]:
    """Return native functions by short name: `frames` has the top of each of the stacks `rows`."""
    by_name: dict[str, dict[str, list[float]]] = {}
    short: Mapping[Frame, str] = {frame: native_name(frame) for frame in set(frames)}
    for frame, stack in zip(frames, rows.tolist(), strict=True):
        entry = by_name.setdefault(short[frame], {}).setdefault(frame.name, [0, 0.0])
        entry[0] += int(counts.count[stack])
        entry[1] += float(counts.amount[stack])
    parts = [
        NativePart(
            name,
            int(sum(count for count, _ in symbols.values())),
            sum(amount for _, amount in symbols.values()) / whole,
            tuple(sorted(symbols, key=lambda symbol: -symbols[symbol][1])),
        )
        for name, symbols in by_name.items()
    ]
    return tuple(sorted(parts, key=lambda part: -part.share))


_COMPILED = re.compile(r"(?:\.(?:isra|constprop|part|cold|lto_priv)(?:\.\d+)*)+$")
_PROCESSOR = re.compile(
    r"_(?:X86_V\d|SSE\d*|SSE4[12]|SSSE3|AVX2?|AVX512\w*|FMA[34]|ASIMD\w*|NEON\w*|VSX\d?|SVE|RVV"
    r"|PRESCOTT|CORE2|PENRYN|DUNNINGTON|NEHALEM|ATOM|SANDYBRIDGE|HASWELL|SKYLAKEX|COOPERLAKE|SAPPHIRERAPIDS"
    r"|BARCELONA|BOBCAT|BULLDOZER|PILEDRIVER|STEAMROLLER|EXCAVATOR|ZEN"
    r"|ARMV8\w*|CORTEX\w+|NEOVERSE\w+|THUNDERX\w*|VORTEX\w*|POWER\d+)$"
)
_LOOP = re.compile(
    r"(?:BOOL|U?(?:BYTE|SHORT|INT|LONG|LONGLONG)|HALF|FLOAT|DOUBLE|LONGDOUBLE|C(?:FLOAT|DOUBLE|LONGDOUBLE)|OBJECT)_([a-z]\w*)"
)
"""NumPy's inner loops: the type of the numbers, and what is done with them."""
_ROUTINE = re.compile(
    r"([sdcz](?:gemm3?m?t?|symm|hemm|syrk|herk|syr2k|her2k|trsm|trmm|gemv|gbmv|symv|hemv|spmv|trmv|trsv|ger[uc]?|syr2?"
    r"|her2?|axp(?:b?y)|dot[uc]?|scal|copy|swap|nrm2|asum|rot|potr[fis]|potf2|getr[fis]|geqrf|gels[dy]?|gesdd|gesvd"
    r"|syev[dr]?|heev[dr]?|lauum|lauu2|trtr[is]|trti2|laswp))_\w+"
)
"""Parts of a routine of BLAS or LAPACK, such as `dgemm_oncopy`."""
_BLAS = re.compile(r"blas|mkl|blis|lapack|atlas", re.IGNORECASE)
_HASH = re.compile(r"-[0-9a-f]{8,}$")
_ENDINGS = re.compile(r"(?:\.cpython-[^.]*|\.abi3)?\.(?:so(?:\.\d+)*|dylib|dll|pyd)$")


def native_name(frame: Frame) -> str:
    """Return a short name for a native function: `tanh` for `DOUBLE_tanh_X86_V4`, `dgemm` for all its kernels.

    What has no symbol has the name of its library in brackets, as py-spy gives it, without version and hash.
    """
    name = frame.name
    if name.startswith("[") and name.endswith("]"):
        return f"[{_HASH.sub('', _ENDINGS.sub('', name[1:-1])) or name[1:-1]}]"
    short = _COMPILED.sub("", name)
    while (shorter := _PROCESSOR.sub("", short)) != short:
        short = shorter
    loop = _LOOP.fullmatch(short)
    if loop:
        return loop[1]
    routine = _ROUTINE.fullmatch(short) if _BLAS.search(PurePosixPath(frame.file).name) else None
    return routine[1] if routine else short or name
