"""The C extensions, what every Python of the environment calls as it starts, and README as an index shows it.

All extensions are optional: without a compiler the Python versions of the same functions serve.
"""

import re
import tomllib
from pathlib import Path

import numpy as np
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

STARTUP = "workbench/capture/startup"
STARTUP_FILES = ("workbench-autostart.pth", "workbench-autostart.start", "_workbench_autostart.py")


class BuildWithStartup(build_py):
    """Puts the files that Python looks for in site-packages itself there, in editable installs too."""

    def run(self) -> None:
        """Build, and copy the files to the root of the wheel."""
        super().run()
        # An editable wheel has nothing of what is built, but whatever is installed without being built.
        root = self.get_finalized_command("install").install_lib if self.editable_mode else self.build_lib
        for name in STARTUP_FILES:
            self.copy_file(f"{STARTUP}/{name}", f"{root}/{name}", preserve_mode=0)


def description() -> str:
    """Return README with addresses in place of links to files beside it."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    source, tag = project["urls"]["Source"], f"v{project['version']}"

    def absolute(match: re.Match[str]) -> str:
        form = "raw" if match[2].endswith(".png") else "blob"
        return f"{match[1]}{source}/{form}/{tag}/{match[2]}"

    readme = Path("README.md").read_text(encoding="utf-8")
    return re.sub(r"""(\]\(|srcset="|src=")(?!https?:|#)([^)"\s]+)""", absolute, readme)


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    cmdclass={"build_py": BuildWithStartup},
    ext_modules=[
        Extension(
            "workbench.scopes._native",
            sorted(str(path) for path in Path("workbench/scopes/native").glob("*.c")),
            depends=sorted(str(path) for path in Path("workbench/scopes/native").glob("*.h")),
            # Hidden names: calls between the files are direct, and nothing of ours meets the program's.
            extra_compile_args=["-O3", "-fvisibility=hidden"],
            optional=True,
        ),
        Extension(
            "workbench.trainer.kernels._kernels",
            ["workbench/trainer/kernels/_kernels.c"],
            depends=[
                "workbench/trainer/kernels/_tanh_coefficients.h",
                "workbench/trainer/kernels/_tanh_formulas.h",
                "workbench/trainer/kernels/_tanh_ufunc_loops.h",
            ],
            include_dirs=[np.get_include()],
            # No fused multiply-add but where it is asked for: the same bits on every machine. No trapping maths:
            # selects may be vectorised.
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"],
            optional=True,
        ),
        Extension(
            "workbench.trainer.network._passes",
            ["workbench/trainer/network/_passes.c"],
            depends=["workbench/trainer/network/_passes_of_blocks.h"],
            include_dirs=[np.get_include()],
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math"],
            optional=True,
        ),
    ],
)
