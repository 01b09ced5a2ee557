"""The end of a process: events that wait are sent first, however the process ends."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pequel.sending.worker import Worker

_workers: weakref.WeakSet[Worker] = weakref.WeakSet()
_hooked: set[tuple[int, str]] = set()  # process, name of the module that was hooked
exit_time_used: dict[int, float] = {}  # process -> seconds spent on flushing at its end


def register(worker: Worker) -> None:
    """Flush this worker when the process ends."""
    _workers.add(worker)
    for name, hook in _HOOKS.items():
        module, key = sys.modules.get(name), (os.getpid(), name)
        if module is not None and key not in _hooked:
            _hooked.add(key)
            hook(module)


@atexit.register
def flush_all() -> None:
    """Flush the workers of this process one after another; all send at once and share the time."""
    pid, began = os.getpid(), time.monotonic()
    began -= exit_time_used.get(pid, 0.0)
    for worker in [w for w in _workers if w.pid == pid and not w.ended]:
        worker.flush_at_exit(max(0.0, worker.exit_timeout - (time.monotonic() - began)))
    exit_time_used[pid] = time.monotonic() - began


def will_fork() -> bool:
    """Whether this is uWSGI's master, which must not have a thread.

    It forks its workers without regard to threads. If a thread of the master holds the
    interpreter's lock at that moment, the new worker hangs for ever.
    """
    return _uwsgi_worker() == 0


def sends_parents_queue() -> bool:
    """Whether this is uWSGI's first worker: it sends what the master, without a thread, cannot."""
    return _uwsgi_worker() == 1


def _uwsgi_worker() -> int | None:
    """The number of this uWSGI worker, from 1; 0 in the master; None without uWSGI."""
    uwsgi = sys.modules.get("uwsgi")
    return None if uwsgi is None else uwsgi.worker_id()


def _hook_multiprocessing(util: Any) -> None:
    """Children of `multiprocessing` do not run `atexit`, but run finalizers of that module."""
    if util.process.parent_process() is not None:
        util.Finalize(None, flush_all, exitpriority=-1)


def _hook_celery(signals: Any) -> None:
    """Celery's prefork workers run neither `atexit` nor those finalizers."""
    signals.worker_process_shutdown.connect(_on_signal, weak=False, dispatch_uid="pequel")


def _on_signal(**_: object) -> None:
    flush_all()


_HOOKS = {
    "multiprocessing.util": _hook_multiprocessing,
    "celery.signals": _hook_celery,
}
