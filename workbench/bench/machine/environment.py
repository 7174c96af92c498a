"""What a measurement was made on: machine, versions, threads."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

import workbench
from workbench.system import usable_cores

PACKAGES = ("numpy", "scipy", "joblib", "py-spy", "pyinstrument", "matplotlib", "threadpoolctl")


PINNED = {
    "LOKY_MAX_CPU_COUNT": str(usable_cores()),
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""Variables that hold numerical libraries to one thread, and joblib's workers to the cores there are, so that variants
differ in what they say alone."""


def environment() -> dict[str, object]:
    """Return the facts of this machine and installation, for a results file and a page's head."""
    import psutil

    return {
        "machine": processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "packages": {"workbench": workbench.__version__} | {name: version(name) for name in PACKAGES},
        "blas": blas(),
        "code_path": code_path(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def processor() -> str:
    """Return the processor's name, as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def version(package: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def blas() -> str:
    """Return the name, version and thread count of the BLAS that NumPy uses here."""
    library = numpy_blas()
    if library is None:
        return "unknown"
    name, number = library.get("internal_api"), library.get("version")
    return f"{name} {number} ({library.get('architecture')}), {library.get('num_threads')} threads"


def code_path() -> str:
    """Return which code NumPy chose for the processor that this process sees; nothing where it is not loaded."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return ""
    simd = numpy.show_config(mode="dicts").get("SIMD Extensions", {})
    names = [*simd.get("baseline", ()), *simd.get("found", ())]
    parts = [f"NumPy for {', '.join(names)}"] if names else []
    try:
        library = numpy_blas()
    except ImportError:  # in an environment that is not ours
        library = None
    if library is not None and library.get("architecture"):
        parts.append(f"{library.get('internal_api')} for {library['architecture']}")
    return "; ".join(parts)


def numpy_blas() -> dict[str, Any] | None:
    """Return what threadpoolctl reports of NumPy's BLAS; SciPy may have loaded another one before it."""
    import numpy as np  # noqa: F401  it loads the library that is asked about
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library.get("user_api") == "blas"]
    own = [
        each for each in libraries if any(part.startswith("numpy") for part in Path(each["filepath"]).parts)
    ]
    return next(iter([*own, *libraries]), None)
