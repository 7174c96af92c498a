"""The task that runs on a thread: of asyncio or trio, or a greenlet. Each has a track of its own.

This imports none of these libraries: if the program has not imported one, none of its tasks run.
"""

from __future__ import annotations

import _thread
import sys
from typing import Any

MAX_NAME = 1000
"""Characters of a task's or thread's name."""


def original(name: str) -> Any:
    """Return a member of `_thread` as it was before gevent replaced it by one for greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    find = getattr(monkey, "get_original", None)
    return getattr(_thread, name) if find is None else find("_thread", name)


def running() -> Any:
    """Return the task or greenlet that runs on this thread; None if neither does."""
    task = _asyncio_task() or _trio_task()
    greenlet = _greenlet()
    if greenlet is None:
        return task
    # A greenlet whose parent is the task's greenlet runs for that task, as SQLAlchemy's do.
    return task if task is not None and greenlet.parent.parent is None else greenlet


def is_greenlet(task: Any) -> bool:
    """Return whether a task is a greenlet, which has a stack of its own."""
    return isinstance(task, getattr(sys.modules.get("greenlet"), "greenlet", ()))


def name_of(task: Any) -> str:
    """Return the name of a task or greenlet."""
    threading = sys.modules.get("threading")
    thread = getattr(threading, "_active", {}).get(id(task))  # gevent's threads are greenlets
    if thread is not None:
        return str(thread.name)[:MAX_NAME]
    get_name = getattr(task, "get_name", None)
    name = getattr(task, "name", None) if get_name is None else get_name()
    return str(name or f"greenlet {id(task):x}")[:MAX_NAME]


def thread_name() -> str:
    """Return the name of the current thread."""
    threading = sys.modules.get("threading")
    ident = original("get_ident")()
    thread = getattr(threading, "_active", {}).get(ident)
    main = getattr(threading, "_main_thread", None)  # its key in `_active` differs under gevent
    if thread is None and (threading is None or _thread.get_native_id() == getattr(main, "native_id", None)):
        return "MainThread"
    return f"Thread {ident}" if thread is None else str(thread.name)[:MAX_NAME]


def _asyncio_task() -> Any:
    asyncio = sys.modules.get("asyncio")
    # While asyncio is being imported its functions are not there yet.
    if asyncio is None or getattr(asyncio, "_get_running_loop", lambda: None)() is None:
        return None
    return asyncio.current_task()


def _trio_task() -> Any:
    current = getattr(sys.modules.get("trio.lowlevel"), "current_task", None)
    if current is None:
        return None
    try:
        return current()
    except RuntimeError:  # outside of tasks
        return None


def _greenlet() -> Any:
    current = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    greenlet = None if current is None else current()
    return None if greenlet is None or greenlet.parent is None else greenlet  # the main one is the thread
