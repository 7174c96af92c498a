"""What the author of a suite knows beside what is measured: words for its scopes, and what others report of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Claim:
    """A claim of a source on a variant, and what the verdicts must say for it to hold."""

    variant: str
    quoted: str
    read_as: str
    """The same as the fields below, in words."""
    is_faster: bool = False
    """Whether it says that the variant is faster than the baseline."""
    error: Literal["", "not worse", "worse"] = ""
    """What it says of the error beside the baseline's, if anything."""
    better_than: str = ""
    """The variant that has a larger error: then this alone is claimed."""
    note: str = ""
    """What a verdict alone does not say."""


@dataclass(frozen=True)
class Quotes:
    """What a source reports of the problem, each claim to be judged by what is measured."""

    source: str
    """What it is called, as in "the original Rust version"."""
    text: str
    """What it reports, in a paragraph."""
    remark: str = ""
    shares: Mapping[str, str] = field(default_factory=dict)
    """By variant: the share of the scope that `Commentary.part` names."""
    claims: Sequence[Claim] = ()


@dataclass(frozen=True)
class Commentary:
    """What pages say of a suite in its author's words; each of it may be left out.

    With `Suite.scaling`, pages tell how much of the work, or of the scope around it, is inside the scope `part`.
    """

    lead: str = ""
    """What is computed, in a sentence."""
    step: str = ""
    """The scope of one step, which is also what a step is called."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Scopes, with what they are called in sentences."""
    part: str = ""
    """The scope whose share is asked for."""
    part_options: Sequence[str] = ()
    """Options of variants that choose what runs in it."""
    errors: str = ""
    """What errors are in, and when they are taken."""
    quotes: Quotes | None = None
