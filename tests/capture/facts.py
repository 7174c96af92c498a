"""A program that prints what it can see of itself: what is ours, and listed in docs/sampling.md, is left out."""

import sys

modules = sorted(
    name for name in sys.modules if name.partition(".")[0] not in ("workbench", "_workbench_autostart")
)
names = sorted(globals())
import builtins  # noqa: E402
import codecs  # noqa: E402
import faulthandler  # noqa: E402
import fcntl  # noqa: E402
import gc  # noqa: E402
import linecache  # noqa: E402
import locale  # noqa: E402
import os  # noqa: E402
import pathlib  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import stat  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
import tracemalloc  # noqa: E402
import warnings  # noqa: E402

count: int = 3
me = sys.modules["__main__"]


def show(**facts: object) -> None:
    for name, value in facts.items():
        print(f"{name}: {value!r}")


def descriptors() -> dict[int, tuple[bool, int, str]]:
    """Return of each descriptor, but those that are closed on exec, its flags and the kind of its file."""
    found = {}
    for number in range(100):
        try:
            closed = bool(fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
            kind = stat.S_IFMT(os.fstat(number).st_mode)
            if not closed:
                found[number] = (os.get_blocking(number), fcntl.fcntl(number, fcntl.F_GETFL), oct(kind))
        except OSError:
            pass
    return found


def of_system() -> dict[str, str]:
    """Return what the system says of the process, without its numbers, memory, threads and caught signals."""
    status = pathlib.Path("/proc/self/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return {
        name: lines.get(name, "") for name in ("Name", "Umask", "SigBlk", "SigIgn", "NoNewPrivs", "Seccomp")
    }


show(name=__name__, file=__file__, argv=sys.argv, orig_argv=sys.orig_argv, package=__package__, doc=__doc__)
show(spec=me.__spec__ and me.__spec__.name, names=names, modules=modules, is_main=me.__dict__ is globals())
show(
    loader=type(__loader__).__name__, builtins=__builtins__ is builtins, more_builtins=sorted(vars(builtins))
)
show(annotations=getattr(me, "__annotations__", None), cached=vars(me).get("__cached__", "none"))
show(path=sys.path, meta_path=[type(each).__name__ for each in sys.meta_path], hooks=len(sys.path_hooks))
show(importer_cache=sorted(sys.path_importer_cache), prefix=sys.prefix, executable=sys.executable)
show(flags=sys.flags, warnoptions=sys.warnoptions, xoptions=sys._xoptions, filters=warnings.filters)
show(bytecode=(sys.dont_write_bytecode, sys.pycache_prefix), locale=locale.getlocale(), umask=os.umask(0o22))
show(threads=[(each.name, each.daemon) for each in threading.enumerate()], frames=len(sys._current_frames()))
show(handlers=[(n, signal.getsignal(n)) for n in range(1, 32)], mask=sorted(signal.pthread_sigmask(0, [])))
show(
    timers=[signal.getitimer(n) for n in range(3)],
    wakeup=signal.set_wakeup_fd(-1),
    switch=sys.getswitchinterval(),
)
show(trace=(sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()))
show(limits=(sys.getrecursionlimit(), [resource.getrlimit(n) for n in range(10)]), nice=os.nice(0))
show(gc=(gc.isenabled(), gc.get_threshold(), gc.callbacks, gc.get_freeze_count()))
show(hooks_of_errors=(sys.excepthook is sys.__excepthook__, sys.unraisablehook is sys.__unraisablehook__))
show(
    display=sys.displayhook is sys.__displayhook__,
    thread_hook=threading.excepthook is threading.__excepthook__,
)
show(tracers=(tracemalloc.is_tracing(), faulthandler.is_enabled()), lines=sorted(linecache.cache))
show(tools=[sys.monitoring.get_tool(n) for n in range(6)] if sys.version_info >= (3, 12) else None)
show(
    codecs=codecs.lookup("utf-8").name,
    encodings=[each.encoding for each in (sys.stdin, sys.stdout, sys.stderr)],
)
show(tty=[each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)], buffering=sys.stdout.line_buffering)
show(
    descriptors=descriptors(),
    cwd=pathlib.Path.cwd(),
    environment=sorted(k for k in os.environ if k[:10] != "WORKBENCH_"),
)
show(group=os.getpgrp() == os.getpgid(os.getppid()), session=os.getsid(0) == os.getsid(os.getppid()))
show(processors=sorted(os.sched_getaffinity(0)), scheduler=os.sched_getscheduler(0), system=of_system())
show(input=sys.stdin.read())
code = "import os, sys; print(sys.orig_argv, sorted(k for k in os.environ if k[:10] != 'WORKBENCH_'), "
code += "[os.path.exists(f'/proc/self/fd/{n}') for n in range(3)], len(sys.path))"
show(child=subprocess.run([sys.executable, "-c", code, "a b"], capture_output=True, text=True).stdout)
