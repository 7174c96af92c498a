"""What stands at the top of a profile page: its figures, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.pictures._text import format_amount, format_share, printable
from workbench.profile import ROOT, Profile, aggregate, scope_totals
from workbench.report.profile_attribution import attribution_in, attribution_words, sampling_words
from workbench.report.profile_run import ProfileRun, duration_ns
from workbench.report.profile_tables import guards_cost_ns


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
    known = run.scopes.facts.get("processes") if run.scopes is not None else None
    count = max(len(processes), known if isinstance(known, int) else 0)
    found = [Figure("took", format_amount(duration_ns(run), "ns"))]
    if profiles:
        found.append(Figure(_plural(count, "process", "es"), f"{count:,}"))
        lanes = max((len(profile.tracks) for profile in profiles), default=0)
        lanes = len(threads) if run.together is not None else lanes
        found.append(Figure(_plural(lanes, "thread"), f"{lanes:,}", "or tasks, with anything on them"))
    if run.scopes is not None:
        spans, names = count_spans(run.scopes), len(scope_totals(run.scopes))
        found.append(Figure(_plural(spans, "scope"), f"{spans:,}", f"of {names:,} {_plural(names, 'name')}"))
    if run.samples is not None:
        sampled = [track.samples for track in run.samples.tracks if track.samples is not None]
        samples = sum(int(each.count[each.stack != ROOT].sum()) for each in sampled)
        rate = f", {run.rate} a second" if run.rate else ""
        found.append(
            Figure(
                _plural(samples, "sample"),
                f"{samples:,}",
                f"of threads at work, {run.sampler}{rate}".strip(", "),
            )
        )
    found += _attribution_figures(run)
    cost = guards_cost_ns(run.scopes) if run.scopes is not None else None
    if run.scopes is not None and cost is not None:
        all_ns = aggregate(run.scopes, of="spans").all_ns
        share = f"{format_share(cost / all_ns)} of the time in scopes" if all_ns > 0 else ""
        found.append(Figure("cost of recording", format_amount(round(cost), "ns"), share))
    if run.cost is not None:
        found.append(Figure("time when profiled", run.cost.times or "unknown", printable(run.cost.sentence)))
    return found


def _attribution_figures(run: ProfileRun) -> list[Figure]:
    """Return how many samples are under scopes, and what the sampler could not see."""
    found: list[Figure] = []
    attribution = attribution_in(run.samples)
    if attribution is not None and run.scopes is not None:
        found.append(
            Figure(
                f"{_plural(attribution.attributed, 'sample')} under scopes",
                f"{attribution.attributed:,}",
                attribution_words(attribution),
            )
        )
    if words := sampling_words(run.samples):
        found.append(Figure("limits of the sampler", "", words))
    return found


def troubles(run: ProfileRun) -> list[str]:
    """Return what was cut, damaged or stopped, and what the capture warned of, a line each."""
    found = list(run.warnings)
    said = " ".join(found)
    if run.returncode:
        found.append(f"The program ended with exit code {run.returncode}.")
    if run.scopes is None and run.samples is None:
        found.append("Nothing was recorded: there are no scopes and no samples.")
    for profile in (run.scopes, run.samples):
        if profile is not None:
            found += _of_profile(profile, said)
    return list(dict.fromkeys(found))


def count_spans(profile: Profile) -> int:
    """Return how many scopes ran: those that stand for a scope of another track are not counted again."""
    return sum(
        len(spans) - (0 if spans.carried is None else int(spans.carried.sum()))
        for spans in (track.spans for track in profile.tracks)
        if spans is not None
    )


def _of_profile(profile: Profile, said: str) -> list[str]:
    facts = profile.facts
    found: list[str] = []
    unfinished = sum(int(t.spans.unfinished.sum()) for t in profile.tracks if t.spans is not None)
    damaged, misnested, lost = (_number(facts.get(key)) for key in ("damaged", "misnested", "given_up_bytes"))
    elsewhere = min(_number(facts.get("closed_elsewhere")), unfinished)
    unfinished -= elsewhere
    if elsewhere:
        found.append(
            f"{elsewhere:,} {_plural(elsewhere, 'scope')} opened on one thread or task and closed on another: the time "
            "until the end of the record counts. Close a scope where it was opened."
        )
    if unfinished:
        found.append(
            f"{unfinished:,} {_plural(unfinished, 'scope')} had not ended when the record did: "
            "the time until then counts."
        )
    if damaged and "damaged" not in said:
        found.append(f"{damaged:,} damaged {_plural(damaged, 'place')} of the recording were left out.")
    if misnested:
        found.append(
            f"{misnested:,} {_plural(misnested, 'scope')} ended after the one around: cut at its end."
        )
    if others := _number(facts.get("other_clocks")):
        found.append(
            f"{others:,} {_plural(others, 'process', 'es')} ran on another clock (another host, boot or time "
            "namespace): their times were moved by the wall clock."
        )
    if lost:
        found.append(
            f"The oldest {lost:,} bytes of events were given up: the recording had reached its max_bytes."
        )
    if facts.get("stopped_full") is True:
        found.append("The recording stopped before the program's end: it had reached its max_bytes.")
    if facts.get("stopped_by_error") is True:
        found.append("The recording stopped before the program's end: an error of the disk.")
    return found


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _plural(count: int, noun: str, ending: str = "s") -> str:
    return noun if count == 1 else noun + ending
