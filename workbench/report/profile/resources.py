"""What a run cost beside time, for the overview: of each scope, and of its processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.profile import Resources, ScopeResources, scope_resources
from workbench.report.profile.run import ProfileRun
from workbench.text import as_amount, as_digits_give_or_take, as_size, plural


@dataclass(frozen=True)
class RunResources:
    """What is known of a run's scopes and processes; empty where nothing is."""

    scopes: Mapping[str, ScopeResources]
    processes: Sequence[Resources]


@dataclass(frozen=True)
class ResourceTable:
    """The rows of some scopes: only the columns that say something of one of them."""

    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    """A scope, and its cells."""


def resources_of_run(run: ProfileRun) -> RunResources:
    """Return what is known of a run."""
    profile = run.together or run.scopes
    return (
        RunResources({}, ()) if profile is None else RunResources(scope_resources(profile), profile.resources)
    )


def resource_table(found: RunResources, names: Sequence[str], count: int) -> ResourceTable:
    """Return the rows of the first of some scopes of which anything is known, so many at most."""
    known = [name for name in dict.fromkeys(names) if name in found.scopes][:count]
    scopes = [found.scopes[name] for name in known]
    columns = {
        "CPU time": [_seconds(each.cpu_s, each.cpu_interval_s) for each in scopes],
        "lock wait": [_seconds(each.waiting_for_lock_s, each.waiting_for_lock_interval_s) for each in scopes],
        "waiting": [_seconds(each.waiting_s, each.waiting_interval_s) for each in scopes],
        "resident": [
            "" if each.largest_resident_bytes is None else as_size(each.largest_resident_bytes)
            for each in scopes
        ],
    }
    columns = {head: cells for head, cells in columns.items() if any(cells)}
    return ResourceTable(
        list(columns), [(name, [cells[i] for cells in columns.values()]) for i, name in enumerate(known)]
    )


def _seconds(value: float | None, interval: tuple[float, float]) -> str:
    """Return a time that may be off by some; nothing where it may as well be none."""
    if value is None or interval[0] <= 0:
        return ""
    return " ".join(as_digits_give_or_take(1e9 * value, 5e8 * (interval[1] - interval[0])))


def process_line(found: RunResources) -> str:
    """Return what the system counted while the processes were sampled: sums, and the largest resident set of one."""
    if not found.processes:
        return ""
    each = [_counted(one) for one in found.processes]
    total = {name: sum(one[name] for one in each) for name in each[0]}
    several = len(each) > 1
    words = [
        f"largest resident set {'of a process ' if several else ''}{as_size(max(map(_largest, found.processes)))}",
        f"{as_amount(total['cpu_ns'], 'ns')} CPU time",
        f"{total['major_faults']:,} major {plural(total['major_faults'], 'fault')}",
    ]
    if all(_is_told(one) for one in found.processes):
        words.append(f"{as_size(total['read_bytes'])} read, {as_size(total['written_bytes'])} written")
    words.append(
        f"{total['voluntary_switches']:,} voluntary and {total['involuntary_switches']:,} other switches"
    )
    return f"{f'{len(each)} processes together: ' if several else ''}{', '.join(words)}"


def scopes_json(found: RunResources, names: Sequence[str], top: int) -> list[dict[str, object]]:
    """Return what the first of some scopes cost, so many at most, for machines."""

    def seconds(value: float | None, interval: tuple[float, float]) -> dict[str, float] | None:
        return None if value is None else {"s": value, "low_s": interval[0], "high_s": interval[1]}

    known = [(name, found.scopes[name]) for name in dict.fromkeys(names) if name in found.scopes][:top]
    return [
        {
            "name": name,
            "cpu": seconds(each.cpu_s, each.cpu_interval_s),
            "waiting_for_lock": seconds(each.waiting_for_lock_s, each.waiting_for_lock_interval_s),
            "waiting": seconds(each.waiting_s, each.waiting_interval_s),
            "largest_resident_bytes": each.largest_resident_bytes,
        }
        for name, each in known
    ]


def processes_json(found: RunResources, top: int) -> list[dict[str, object]]:
    """Return what the system counted of the processes with the most CPU time while they were sampled, for machines."""
    processes: list[dict[str, object]] = []
    busiest = [(one, _counted(one)) for one in found.processes]
    for one, counted in sorted(busiest, key=lambda pair: -pair[1]["cpu_ns"])[:top]:
        cpu_s = counted.pop("cpu_ns") / 1e9
        unknown = {} if _is_told(one) else {"read_bytes": None, "written_bytes": None}
        processes.append(
            {
                "pid": one.pid,
                "readings": len(one.at_ns),
                "largest_resident_bytes": _largest(one),
                "largest_thread_count": int(one.threads.max(initial=0)),
                "cpu_s": cpu_s,
                **counted,
                **unknown,
            }
        )
    return processes


def _largest(one: Resources) -> int:
    return int(one.resident_bytes.max(initial=0))


def _is_told(one: Resources) -> bool:
    return bool((one.read_bytes >= 0).all())


def _counted(one: Resources) -> dict[str, int]:
    """Return what was counted from the first reading to the last."""
    names = (
        "cpu_ns",
        "major_faults",
        "read_bytes",
        "written_bytes",
        "voluntary_switches",
        "involuntary_switches",
    )
    return {
        name: int(getattr(one, name)[-1] - getattr(one, name)[0]) if len(one.at_ns) else 0 for name in names
    }
