"""The top of a profile page: its figures, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.eventlog.stack_shape import UNKNOWN_STACK
from workbench.profile import ROOT, Profile, aggregate, scope_totals
from workbench.report.profile.run import ProfileRun, duration_ns
from workbench.report.profile.tables import scopes_cost_ns
from workbench.text import as_amount, as_share, plural, printable


@dataclass(frozen=True)
class Figure:
    """A number in large, what it is, and a line on it."""

    what: str
    value: str
    more: str = ""


def figures(run: ProfileRun) -> list[Figure]:
    """Return the figures of a run."""
    profiles = [profile for profile in (run.scopes, run.samples) if profile is not None]
    threads = {(track.pid, track.tid, track.name) for profile in profiles for track in profile.tracks}
    processes = {track.pid for profile in profiles for track in profile.tracks}
    known = run.scopes.recording.processes if run.scopes is not None else 0
    count = max(len(processes), known)
    what = "covers" if run.seconds is None else "took" if run.attached is None else "measured"
    found = [Figure(what, as_amount(duration_ns(run), "ns"))]
    if profiles:
        found.append(Figure(plural(count, "process", "es"), f"{count:,}"))
        lanes = max((len(profile.tracks) for profile in profiles), default=0)
        lanes = len(threads) if run.together is not None else lanes
        found.append(Figure(plural(lanes, "thread"), f"{lanes:,}", "or tasks, with anything on them"))
    if run.scopes is not None:
        spans, names = count_spans(run.scopes), len(scope_totals(run.scopes))
        found.append(Figure(plural(spans, "scope"), f"{spans:,}", f"of {names:,} {plural(names, 'name')}"))
    if run.samples is not None:
        sampled = [track.samples for track in run.samples.tracks if track.samples is not None]
        samples = sum(int(each.count[each.stack != ROOT].sum()) for each in sampled)
        rate = f", {run.rate} a second" if run.rate else ""
        found.append(
            Figure(
                plural(samples, "sample"),
                f"{samples:,}" if run.samples.counts_samples else "not known",
                f"of threads at work, {run.sampler}{rate}".strip(", "),
            )
        )
    found += _attribution_figures(run)
    cost = scopes_cost_ns(run.scopes) if run.scopes is not None else None
    if run.scopes is not None and cost is not None:
        all_ns = aggregate(run.scopes, of="spans").all_ns
        share = f"{as_share(cost / all_ns)} of the time in scopes" if all_ns > 0 else ""
        found.append(Figure("cost of recording", as_amount(round(cost), "ns"), share))
    spent = sum(each.cpu_ns for each in run.samples.recording.samplers) if run.samples is not None else 0
    if spent:
        found.append(
            Figure("cost of sampling", as_amount(spent, "ns"), "CPU time of its handlers and helper threads")
        )
    if run.cost is not None:
        found.append(Figure("time when profiled", run.cost.times or "unknown", printable(run.cost.sentence)))
    return found


def _attribution_figures(run: ProfileRun) -> list[Figure]:
    """Return what lines do not decide, and what the sampler could not see."""
    found: list[Figure] = []
    attribution = run.samples.attribution if run.samples is not None else None
    if attribution is not None and attribution.not_attributable:
        undecided = attribution.not_attributable
        found.append(
            Figure(
                f"{plural(undecided, 'sample')} of unknown scope",
                f"{undecided:,}",
                f"of {attribution.samples:,}, waiting threads included: their source lines do not decide",
            )
        )
    if words := sampling_words(run.samples):
        found.append(Figure("limits of the sampler", "", words))
    return found


def diagnostics(run: ProfileRun) -> list[str]:
    """Return what was cut, damaged or stopped, and what the capture warned of, a line each."""
    found = list(run.warnings)
    if run.returncode:
        found.append(
            f"The program ended with exit code {run.returncode}: shown is what ran until then; its output says why."
        )
    if run.scopes is None and run.samples is None:
        found.append(
            "Nothing was recorded: there are no scopes and no samples. Open a scope, or profile for longer."
        )
    for profile in (run.scopes, run.samples):
        if profile is not None:
            found += _of_profile(profile, goes_on=run.attached is not None)
    return list(dict.fromkeys(found))


def count_spans(profile: Profile) -> int:
    """Return how many scopes ran: those that stand for a scope of another track are not counted again."""
    return sum(
        len(spans) - (0 if spans.propagated is None else int(spans.propagated.sum()))
        for spans in (track.spans for track in profile.tracks)
        if spans is not None
    )


def _of_profile(profile: Profile, *, goes_on: bool) -> list[str]:
    facts = profile.recording
    found: list[str] = []
    unfinished = sum(int(t.spans.unfinished.sum()) for t in profile.tracks if t.spans is not None)
    elsewhere = min(facts.closed_elsewhere, unfinished)
    unfinished -= elsewhere
    if elsewhere:
        found.append(
            f"{elsewhere:,} {plural(elsewhere, 'scope')} opened on one thread or task and closed on another: the time "
            "until the end of the record counts. Close a scope where it was opened."
        )
    if unfinished and not goes_on:
        found.append(
            f"{unfinished:,} {plural(unfinished, 'scope')} had not ended when the record did: "
            "the time until then counts."
        )
    if facts.damaged:
        places = plural(facts.damaged, "place")
        found.append(f"{facts.damaged:,} damaged {places} of the recording were left out.")
    if facts.misnested:
        scopes = plural(facts.misnested, "scope")
        found.append(f"{facts.misnested:,} {scopes} ended after the one around: cut at its end.")
    if others := facts.other_clocks:
        found.append(
            f"{others:,} {plural(others, 'process', 'es')} ran on another clock (another host, boot or time "
            "namespace): their times were moved by the wall clock."
        )
    if lost := facts.given_up_bytes:
        found.append(
            f"The oldest {lost:,} bytes of events were given up: the recording had reached its max_bytes."
        )
    if facts.stopped_full:
        found.append("The recording stopped before the program's end: it had reached its max_bytes.")
    if facts.stopped_by_error:
        found.append("The recording stopped before the program's end: an error of the disk.")
    return found


def _unknown_stacks(profile: Profile) -> int:
    """Return how many samples have a stack that nobody knows, by the frame that stands for it in tables, too."""
    on_top = np.array([frame == UNKNOWN_STACK for frame in profile.frames], dtype=np.bool_)[
        profile.stacks.frame
    ]
    samples = [track.samples for track in profile.tracks if track.samples is not None]
    return sum(int(each.count[(each.stack != ROOT) & on_top[each.stack]].sum()) for each in samples)


def sampling_words(profile: Profile | None) -> str:
    """Return what the in-process sampler states of itself, over all processes; empty where it states nothing."""
    if profile is None or not (runs := profile.recording.samplers):
        return ""
    cut, interrupted = (
        sum(counts) for counts in zip(*((run.cut, run.interrupted) for run in runs), strict=True)
    )
    unknown = _unknown_stacks(profile)
    return f"stack unknown: {unknown:,}, native stack cut: {cut:,}, system calls interrupted: {interrupted:,}"
