"""The optional dependencies: which extra of the distribution has a package that is missing."""

from __future__ import annotations

import re

DISTRIBUTION = "scopebench"
"""The name that pip installs; the import package is `workbench`."""
_DISTRIBUTIONS = {
    "backports": "backports.zstd",
    "distributed": "dask",
    "elftools": "pyelftools",
    "markupsafe": "jinja2",
}
"""Of modules that are not named as their distribution is."""
_NAME, _EXTRA = re.compile(r"[A-Za-z0-9._-]+"), re.compile(r"extra == ['\"]([a-z]+)['\"]")


def missing_extra(error: ModuleNotFoundError, *wanted: str) -> str | None:
    """Return a line that names the missing module and the extra that installs it; None where no extra does.

    Args:
        error: What the import raised.
        wanted: The extras that the caller needs; named where one has the module.
    """
    module = (error.name or "").partition(".")[0]
    package = _DISTRIBUTIONS.get(module, module)
    extras = [extra for name, extra in _requirements() if name == package and extra != "dev"]
    if not extras:
        return None
    named = ",".join(wanted) if set(wanted) & set(extras) else extras[0]
    return f"{module} is not installed: pip install '{DISTRIBUTION}[{named}]'"


def _requirements() -> list[tuple[str, str]]:
    """Return the distribution and the extra of each optional requirement."""
    from importlib import metadata  # takes longer than all else of a short command

    try:
        found = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # a source tree on the path
        return []
    pairs = []
    for each in found:
        name, extra = _NAME.match(each), _EXTRA.search(each)
        if name is not None and extra is not None:
            pairs.append((name[0].lower(), extra[1]))
    return pairs
