"""Where the code stands that uses scopes, over all processes of a recording."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.capture.log_files import ProcessLog


def sites(logs: Iterable[ProcessLog]) -> dict[str, list[list[object]]]:
    """Return, by the name of a scope, the [file, first line, last line] of each place that uses it."""
    found: dict[str, set[tuple[str, int, int]]] = {}
    for log in logs:
        for number, site in log.sites.items():
            if number in log.names:
                found.setdefault(log.names[number], set()).add((site.file, site.first_line, site.last_line))
    return {name: [list(site) for site in sorted(own)] for name, own in sorted(found.items())}


def places(logs: Iterable[ProcessLog]) -> list[list[object]]:
    """Return [name, file, first line, last line, function, use, suspends] of each place, outer ones of a line first."""
    found = {
        (log.names[number], *site): None
        for log in logs
        for number, site in sorted(log.sites.items())
        if number in log.names
    }
    return [list(place) for place in found]
