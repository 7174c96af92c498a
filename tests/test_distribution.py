"""What pip installs under which name: extras, and a package that needs nothing."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from workbench.extras import DISTRIBUTION, missing_extra

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]


def requirements(extra: str) -> set[str]:
    """Return the names of the distributions of an extra, through extras that it names."""
    names: set[str] = set()
    for each in PROJECT["optional-dependencies"][extra]:
        name, _, more = each.partition(";")[0].partition("[")
        if name == DISTRIBUTION:
            names = names.union(*(requirements(part) for part in more.partition("]")[0].split(",")))
        else:
            names.add(name.partition(">")[0])
    return names


def test_the_package_alone_needs_nothing_and_all_has_everything() -> None:
    """Libraries and workers install no other package; `all` has what the workbench is made with."""
    assert PROJECT["dependencies"] == []
    assert PROJECT["name"] == DISTRIBUTION
    floor = {"numpy", "scipy", "py-spy", "pyinstrument", "joblib", "matplotlib"}
    assert floor <= requirements("all")
    assert all(
        requirements(extra) <= requirements("all") for extra in ("profile", "bench", "trainer", "cluster")
    )


def test_every_requirement_has_a_lower_bound() -> None:
    """A version that is too old is replaced, not tried."""
    for extra, every in PROJECT["optional-dependencies"].items():
        assert all(">=" in each or each.startswith(DISTRIBUTION) for each in every), extra


def test_importing_the_package_loads_the_standard_library_alone() -> None:
    """A program that opens scopes and records loads no module of anybody else."""
    program = (
        "import sys; before = set(sys.modules); import workbench\n"
        "with workbench.scope('a'): pass\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(names - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['workbench']\n"


@pytest.mark.parametrize(
    ("module", "wanted", "line"),
    [
        ("click", ("profile",), "click is not installed: pip install 'scopebench[profile]'"),
        ("elftools.elf", ("profile",), "elftools is not installed: pip install 'scopebench[profile]'"),
        ("scipy", ("profile", "bench"), "scipy is not installed: pip install 'scopebench[profile,bench]'"),
        ("scipy", ("profile",), "scipy is not installed: pip install 'scopebench[bench]'"),
        ("distributed", ("profile",), "distributed is not installed: pip install 'scopebench[cluster]'"),
        ("somebody_elses", ("profile",), None),
    ],
)
def test_a_missing_module_is_named_with_its_extra(
    module: str, wanted: tuple[str, ...], line: str | None
) -> None:
    """The line names the extras of the subcommand where they have the module, else one that has it."""
    assert missing_extra(ModuleNotFoundError(name=module), *wanted) == line


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["--help"], "profile"), (["bench", "reference"], "profile,bench"), (["train"], "profile,trainer")],
)
def test_the_command_without_its_packages_says_what_to_install(arguments: list[str], extra: str) -> None:
    """One line and exit code 2, whichever subcommand is asked for."""
    program = (
        "import sys; sys.modules['click'] = None\n"
        f"sys.argv = ['workbench', *{arguments!r}]\nfrom workbench.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"workbench: click is not installed: pip install 'scopebench[{extra}]'\n"


def test_an_attribute_that_needs_an_extra_says_so() -> None:
    """`workbench.load` in a program with the package alone."""
    program = "import sys; sys.modules['numpy'] = None\nimport workbench; workbench.load('x')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.endswith(
        "ModuleNotFoundError: workbench.load: numpy is not installed: pip install 'scopebench[profile]'\n"
    )
