"""A profiled program behaves as under Python alone: streams, exit code, arguments, names, descriptors."""

from __future__ import annotations

import json
import py_compile
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers.profiled import ours

QUICK = ("--sampler", "none")

FACTS = (Path(__file__).parent / "facts.py").read_text()
"""What a program can see of itself; our own are left out that docs/sampling.md lists."""


PROGRAMS = [
    ("facts.py", "--flag", "-x", "a b", "", "--", "-m", "é", "--output", "x"),
    ("./sub/facts.py",),
    ("sub/../facts.py", "--help"),
    ("link.py",),
    ("-m", "facts", "--rate", "0"),
    ("-m", "package", "-m", "x"),
    ("-m", "package.module"),
    ("-X", "dev", "-W", "error::UserWarning", "-O", "facts.py", "x"),
    ("-P", "facts.py"),
    ("package",),
]


@pytest.mark.parametrize(
    ("program", "sampler"),
    [*((program, "in-process") for program in PROGRAMS), (PROGRAMS[0], "none"), (PROGRAMS[-1], "none")],
)
def test_a_program_finds_what_python_gives_it(workbench_profile, program, sampler):
    """Names, arguments, modules, signals, descriptors, threads and environment are as under Python alone."""
    place = workbench_profile
    for name in ("facts.py", "sub/facts.py", "package/__main__.py", "package/module.py"):
        place.write(name, FACTS)
    place.write("package/__init__.py", "import sys\nprint('package', sys.argv, __name__)")
    (place.folder / "link.py").symlink_to("sub/facts.py")
    plain = place.run(*program, input="typed")
    profiled = place.profile("--sampler", sampler, "--", *program, input="typed")
    assert profiled.stdout.splitlines() == plain.stdout.splitlines()
    assert (profiled.stderr, profiled.returncode) == (plain.stderr, plain.returncode) == ("", 0)


@pytest.mark.parametrize(
    "words",
    [
        (
            "-c",
            "import sys; print(__name__, sys.argv, sys.orig_argv, sys.path[0], sorted(globals()))",
            "x",
            "-c",
        ),
        ("-", "x"),
        ("/dev/stdin", "x"),
        ("tool.pyz", "x"),
        ("folder", "x"),
        ("folder/helper.pyc", "x"),
    ],
    ids=lambda words: words[0],
)
def test_whatever_python_runs(workbench_profile, words):
    """Code, standard input, an archive, a folder and compiled code run as by Python alone."""
    place = workbench_profile
    text = "import sys, helper\nprint(__name__, sys.argv, sys.orig_argv, sys.path[0], sorted(globals()), helper.x)"
    place.write("folder/__main__.py", text)
    place.write("folder/helper.py", "x = 4\nprint('helper', __name__)")
    with zipfile.ZipFile(place.folder / "tool.pyz", "w") as archive:
        for name in ("__main__.py", "helper.py"):
            archive.write(place.folder / "folder" / name, name)
    py_compile.compile(str(place.folder / "folder/helper.py"), str(place.folder / "folder/helper.pyc"))
    given = {"input": "import sys; print('from stdin', __name__, sys.argv)"}
    plain, profiled = place.run(*words, **given), place.profile("--sampler", "in-process", *words, **given)
    assert plain.returncode == 0
    assert (profiled.stdout, profiled.stderr, profiled.returncode) == (plain.stdout, plain.stderr, 0)


ODD = {
    "no hook": ("sys.excepthook = None", 1),
    "a hook that fails": ("sys.excepthook = lambda *a: 1 / 0", 1),
    "no arguments": ("sys.argv = []", 1),
    "arguments that are no text": ("sys.argv = [pathlib.Path('x'), 3, None]", 1),
    "no argv": ("del sys.argv", 1),
    "no orig_argv": ("sys.orig_argv = None", 1),
    "no streams": ("sys.stdout = sys.stderr = sys.stdin = None", 1),
    "no modules": ("[sys.modules.pop(n) for n in list(sys.modules) if n.startswith('os')]", 1),
    "an empty environment": ("os.environ.clear()", 1),
    "another folder": ("os.chdir('/')", 1),
    "all descriptors closed": ("os.closerange(3, 100)", 1),
}


@pytest.mark.parametrize("how", ODD)
def test_odd_programs(workbench_profile, how):
    """Whatever a program does to `sys` and to its process, what comes of it is what comes of it by Python alone."""
    text, code = ODD[how]
    place = workbench_profile
    place.write(
        "p.py",
        f"""
        import os, pathlib, sys, threading
        print("begun", flush=True)
        {text}
        from workbench import scope
        with scope("a"):
            threading.Thread(target=sum, args=([1],)).start()
        raise ValueError("lost")
        """,
    )
    plain, profiled = place.run("p.py"), place.profile("--sampler", "in-process", "p.py")
    assert profiled.returncode == plain.returncode == code
    assert (profiled.stdout, profiled.stderr) == (plain.stdout, plain.stderr)


@pytest.mark.parametrize(
    "words",
    [("a b.py", "it's", "|"), ("-X", "dev", "a b.py"), ("-m", "pkg.tool", "x"), ("-c", "1;import pkg.tool")],
)
def test_a_process_is_called_by_its_command(workbench_profile, words):
    """A process has its own command as a user would type it: options, module and quotes, with none of ours."""
    place = workbench_profile
    text = "from workbench import scope\nwith scope('a'): pass"
    for name in ("a b.py", "pkg/tool.py"):
        place.write(name, text)
    place.write("pkg/__init__.py", "")
    assert place.profile(*QUICK, "--", *words).returncode == 0
    recorded = json.loads((place.folder / "out" / "scopes.speedscope.json").read_text())
    (track,) = recorded["workbench"]["tracks"]
    python, *rest = shlex.split(track["process"])
    assert Path(python).name.startswith("python")
    assert tuple(rest) == words
    assert track["process"] == shlex.join([python, *words])


RESTARTS = {
    "itself": "os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])",
    "by its arguments": "os.execv(sys.executable, [sys.executable, *sys.argv])",
    "as a child": "sys.exit(subprocess.call([sys.executable, *sys.orig_argv[1:]]))",
    "as a child without inherited descriptors": (
        "sys.exit(subprocess.run([sys.executable, *sys.orig_argv[1:]], env=dict(os.environ)).returncode)"
    ),
    "several times": "os.execve(sys.executable, sys.orig_argv, {**os.environ, 'AGAIN': '1'})",
}


@pytest.mark.parametrize("how", RESTARTS)
def test_a_program_that_starts_itself_again(workbench_profile, how):
    """A program that starts itself again, as reloaders and launchers do, runs as under Python alone."""
    place = workbench_profile
    place.write(
        "p.py",
        f"""
        import os, subprocess, sys
        if os.environ.get("READY") != "1":
            os.environ["READY"] = "1"
            {RESTARTS[how]}
        print(sys.argv, sys.orig_argv)
        sys.exit(3)
        """,
    )
    plain, profiled = place.run("p.py", "a", "b c"), place.profile("p.py", "a", "b c")
    assert plain.returncode == 3
    assert (profiled.stdout, profiled.stderr, profiled.returncode) == (plain.stdout, plain.stderr, 3)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(workbench_profile, closed):
    """A program that is started without some of its streams finds them closed, as by Python alone."""
    place = workbench_profile
    place.write(
        "p.py",
        "import sys\nopen('seen', 'a').write(f'{sys.stdin and 1} {sys.stdout and 1} {sys.stderr and 1};')",
    )
    profile = [sys.executable, "-m", "workbench", "profile", "-o", "out", *QUICK, "p.py"]
    for command in ([sys.executable, "p.py"], profile):
        words = f"{shlex.join(command)} {closed}"
        done = subprocess.run(
            ["sh", "-c", words], cwd=place.folder, env=place.environment, capture_output=True, timeout=60
        )
        assert done.returncode == 0
    plain, profiled, _ = (place.folder / "seen").read_text().split(";")
    assert profiled == plain
    assert "None" in plain


def test_modules_of_the_program_come_before_the_standard_librarys(workbench_profile):
    """A module of the program that has the name of one that the recorder uses is found as by Python alone."""
    place = workbench_profile
    for name in ("json", "mmap", "struct", "bisect", "opcode"):
        place.write(f"{name}.py", f"print('own {name}')")
    place.write("p.py", "import json, mmap, struct, bisect, opcode")
    plain, profiled = place.run("p.py"), place.profile("p.py")
    assert plain.stdout.count("own") == 5
    assert (profiled.stdout, profiled.stderr) == (plain.stdout, plain.stderr)


def test_a_safe_import_path_stays_safe(workbench_profile):
    """Where Python is told to put no folder first on the import path, neither do we."""
    workbench_profile.write("facts.py", FACTS)
    safe = {"PYTHONSAFEPATH": "1"}
    plain = workbench_profile.run("facts.py", env=safe)
    profiled = workbench_profile.profile(*QUICK, "facts.py", env=safe)
    assert (profiled.stdout, profiled.stderr) == (plain.stdout, plain.stderr)


def test_a_program_finds_the_same_under_py_spy(workbench_profile, needs_py_spy):
    """The same with a sampler attached, which is neither its parent nor shares its streams."""
    workbench_profile.write("facts.py", FACTS)
    plain = workbench_profile.run("facts.py")
    profiled = workbench_profile.profile("--sampler", "py-spy", "facts.py")
    assert (profiled.stdout, profiled.stderr) == (plain.stdout, plain.stderr)


def test_a_foreign_folder_shadows_nothing(workbench_profile):
    """Modules in the current folder that share a name with the standard library's are not ours to import."""
    place = workbench_profile
    for name in ("json", "mmap", "struct", "typing", "signal", "io", "workbench", "select"):
        place.write(f"{name}.py", "raise RuntimeError('shadowed')")
    place.write("sub/p.py", "import json, io\nprint(json.dumps('fine'))")
    done = place.run("-P", "-m", "workbench", "profile", "-o", "out", *QUICK, "sub/p.py")
    assert (done.returncode, done.stdout, ours(done.stderr)) == (0, '"fine"\n', [])


ENDS = {
    "0": ("", 0),
    "3": ("import sys; sys.exit(3)", 3),
    "text": ("import sys; sys.exit('a message')", 1),
    "none": ("import sys; sys.exit(None)", 0),
    "exception": ("def f():\n    raise ValueError('lost')\nf()", 1),
    "chained": ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e", 1),
    "group": ("raise ExceptionGroup('several', [ValueError(1), KeyError(2)])", 1),
    "os._exit": ("import os; os._exit(7)", 7),
    "at exit": ("import atexit, os; atexit.register(print, 'bye', flush=True)\nimport sys; sys.exit(5)", 5),
    "thread": (
        "import threading\nt = threading.Thread(target=lambda: print('thread'))\nt.start()\nraise SystemExit(4)",
        4,
    ),
    "syntax": ("def f(:\n    pass", 1),
    "recursion": ("def f(n):\n    g(n)\ndef g(n):\n    raise RecursionError(n)\nf(3)", 1),
    "hook": ("import sys\nsys.excepthook = lambda *a: print('hooked', a[0].__name__)\nraise ValueError", 1),
}


@pytest.mark.parametrize("how", ENDS)
def test_ends(workbench_profile, how):
    """Exit code, output and traceback are those of Python alone, without a frame of ours."""
    text, code = ENDS[how]
    place = workbench_profile
    place.write("p.py", "print('begun', flush=True)\n" + text)
    plain, profiled = place.run("p.py"), place.profile(*QUICK, "p.py")
    assert profiled.returncode == plain.returncode == code
    assert (profiled.stdout, profiled.stderr) == (plain.stdout, plain.stderr)
    assert place.summary["returncode"] == code


@pytest.mark.parametrize("text", ["x = 1\0", "# coding: nonsense\n", "\N{BYTE ORDER MARK}x = = 1"])
def test_sources_that_cannot_be_read(workbench_profile, text):
    """A file that is no Python source is a SyntaxError as from Python, without a frame of ours."""
    workbench_profile.write("p.py", text)
    done = workbench_profile.profile(*QUICK, "p.py")
    assert done.returncode == 1
    assert done.stderr == workbench_profile.run("p.py").stderr
    assert "SyntaxError: " in done.stderr


@pytest.mark.parametrize("number", [9, 15])
def test_death_by_a_signal(workbench_profile, number):
    """A program that signal N ends gives 128 + N, as in a shell, and its files are written."""
    place = workbench_profile
    place.write(
        "p.py",
        f"import os\nfrom workbench import scope\nscope('a').__enter__()\nos.kill(os.getpid(), {number})",
    )
    done = place.profile(*QUICK, "p.py")
    assert (done.returncode, done.stderr) == (128 + number, "")
    assert place.frames("scopes.speedscope.json") == {"a"}


def test_streams(workbench_profile):
    """Standard input arrives whole, and output on both streams leaves whole and unmixed, a lot of it too."""
    place = workbench_profile
    place.write(
        "p.py",
        """
        import sys
        data = sys.stdin.buffer.read()
        for _ in range(40):
            sys.stdout.buffer.write(data)
            sys.stderr.buffer.write(data[::-1])
        """,
    )
    data = "".join(chr(97 + i % 26) for i in range(50_000)) + "\n"
    done = place.profile(*QUICK, "p.py", input=data)
    assert done.returncode == 0
    assert done.stdout == data * 40
    assert done.stderr.startswith(data[::-1] * 40)


def test_an_interactive_stream(workbench_profile):
    """A line that is typed reaches the program at once, and its answer comes back at once."""
    place = workbench_profile
    place.write("p.py", "while line := input():\n    print(line.upper(), flush=True)")
    process = place.start(*QUICK, "p.py", stdin=subprocess.PIPE)
    for word in ("one", "two"):
        process.stdin.write(word + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == word.upper() + "\n"
    process.stdin.write("\n")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, ours(err)) == (0, "", [])


def test_a_reader_that_goes_away(workbench_profile):
    """A program whose output nobody reads ends as under Python alone, and nothing of ours complains."""
    place = workbench_profile
    place.write("p.py", "import sys\nfor i in range(10**6): print(i)")
    process = place.start(*QUICK, "p.py")
    process.stdout.close()
    assert process.stderr.read().count("BrokenPipeError") <= 2
    assert process.wait(60) in (1, 120)
    process.stderr.close()


def test_modules(workbench_profile):
    """`-m` runs packages with relative imports; scopes in them are recorded; the folder has their name."""
    place = workbench_profile
    place.write("pkg/__init__.py", "")
    place.write("pkg/sub/__init__.py", "")
    place.write("pkg/sub/tool.py", "from ..other import f\nfrom . import __name__ as n\nprint(n, f())")
    place.write("pkg/other.py", "from workbench import scope\n@scope('f')\ndef f(): return 5")
    done = place.run("-m", "workbench", "profile", *QUICK, "-m", "pkg.sub.tool")
    assert (done.returncode, done.stdout, ours(done.stderr)) == (0, "pkg.sub 5\n", [])
    assert (place.folder / "profiles" / "tool" / "scopes.speedscope.json").is_file()


@pytest.mark.parametrize("name", ["nowhere", "nowhere.deep", "package", "sys", ".relative"])
def test_modules_that_cannot_be_run(workbench_profile, name):
    """A module that is not there, or has no code, is said by Python in its own words and exit code."""
    workbench_profile.write("package/__init__.py", "")
    plain, done = workbench_profile.run("-m", name), workbench_profile.profile(*QUICK, "-m", name)
    assert (done.stderr, done.returncode) == (plain.stderr, plain.returncode)
    assert done.returncode == 1


def test_a_module_that_fails_to_import(workbench_profile):
    """A package whose own imports fail shows its own traceback."""
    workbench_profile.write("package/__init__.py", "import not_there_at_all")
    workbench_profile.write("package/tool.py", "")
    done = workbench_profile.profile(*QUICK, "-m", "package.tool")
    assert done.returncode == 1
    assert "package/__init__.py" in done.stderr
    assert "No module named 'not_there_at_all'" in done.stderr


WORKERS = """
import multiprocessing, sys
from workbench import scope

@scope("work")
def work(x):
    return x * x

def pools():
    for method in ("spawn", "fork", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            yield pool.map(work, range(5), chunksize=1)
    import joblib
    yield joblib.Parallel(n_jobs=2)(joblib.delayed(work)(i) for i in range(5))

if __name__ == "__main__":
    for result in pools():
        print(result, flush=True)
"""


@pytest.mark.parametrize("program", [("w.py",), ("-m", "w")])
def test_workers(workbench_profile, program):
    """Functions of `__main__` reach workers of every kind, and what they do is recorded."""
    place = workbench_profile
    place.write("w.py", WORKERS)
    done = place.profile(*QUICK, *program)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[0, 1, 4, 9, 16]\n" * 4
    assert place.summary["scopes"] == 20


def test_descriptors_are_not_kept_open(workbench_profile):
    """A child that outlives the program holds nothing of ours open, and does not keep us waiting."""
    place = workbench_profile
    place.write(
        "p.py",
        """
        import os, subprocess, sys
        null = subprocess.DEVNULL
        code = "import os, time; print(sorted(os.listdir('/proc/self/fd'), key=int)); time.sleep(0)"
        print(subprocess.check_output([sys.executable, "-c", code], close_fds=False, text=True), end="")
        child = subprocess.Popen(["sleep", "30"], stdin=null, stdout=null, stderr=null, close_fds=False)
        print(child.pid)
        """,
    )
    done = place.profile(*QUICK, "p.py", timeout=25)
    descriptors, pid = done.stdout.splitlines()
    subprocess.run(["kill", pid], check=True)
    assert done.returncode == 0
    assert descriptors in ("['0', '1', '2', '3']", "['0', '1', '2', '3', '4']")
    plain = place.run("p.py", timeout=25).stdout.splitlines()
    subprocess.run(["kill", plain[1]], check=True)
    assert descriptors == plain[0]
