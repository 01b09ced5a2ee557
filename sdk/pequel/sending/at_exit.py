"""The end of a process: whichever way it comes, what waits is sent first."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pequel.sending.worker import Worker

_watched: weakref.WeakSet[Worker] = weakref.WeakSet()
_hooked: set[tuple[int, str]] = set()  # in which process, by what
exit_time_used: dict[
    int, float
] = {}  # seconds for which the end of a process was delayed, once it is


def watch(worker: Worker) -> None:
    """Have a worker flushed when this process ends."""
    _watched.add(worker)
    for name, hook in _HOOKS.items():
        module, here = sys.modules.get(name), (os.getpid(), name)
        if module is not None and here not in _hooked:
            _hooked.add(here)
            hook(module)


@atexit.register
def flush_all() -> None:
    """Flush the workers of this process; they share the time, as they send at once."""
    pid, began = os.getpid(), time.monotonic()
    began -= exit_time_used.get(pid, 0.0)
    for worker in [w for w in _watched if w.pid == pid and not w.ended]:
        worker.flush_at_exit(max(0.0, worker.exit_timeout - (time.monotonic() - began)))
    exit_time_used[pid] = time.monotonic() - began


def will_fork() -> bool:
    """Whether a thread is better not started yet: this process forks, whatever its threads do.

    So does uWSGI's, where the application is loaded before its workers are. A worker that is
    forked while a thread holds the interpreter stands still for ever.
    """
    return _uwsgi_worker() == 0


def sends_parents_queue() -> bool:
    """Whether this process sends what its parent had queued: uWSGI's master never will."""
    return _uwsgi_worker() == 1


def _uwsgi_worker() -> int | None:
    """The number of this worker, from 1; 0 before there are any, None elsewhere."""
    uwsgi = sys.modules.get("uwsgi")
    return None if uwsgi is None else uwsgi.worker_id()


def _hook_multiprocessing(util: Any) -> None:
    """Its children end without the handlers of atexit, but with finalizers of its own."""
    if util.process.parent_process() is not None:
        util.Finalize(None, flush_all, exitpriority=-1)


def _hook_celery(signals: Any) -> None:
    """Its prefork workers end without either."""
    signals.worker_process_shutdown.connect(_on_signal, weak=False, dispatch_uid="pequel")


def _on_signal(**_: object) -> None:
    flush_all()


_HOOKS = {
    "multiprocessing.util": _hook_multiprocessing,
    "celery.signals": _hook_celery,
}
