"""The end of a process: events that wait are sent first, however the process ends."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from functools import wraps
from typing import TYPE_CHECKING, Any

from pequel.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

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
    pid = os.getpid()
    used = exit_time_used.get(pid, 0.0)
    exit_time_used[pid] = _flush_each(lambda worker, seconds: worker.flush_at_exit(seconds), used)


def flush_before(end: str) -> None:
    """Flush the workers of a process that may end without exit handlers, or go on.

    It takes as long as an exit may, and logs how many events are left.
    """
    _flush_each(lambda worker, seconds: worker.flush_before(end, seconds))


def _flush_each(flush: Callable[[Worker, float], object], used: float = 0.0) -> float:
    """Flush each worker in what is left of its exit_timeout; returns the seconds used so far."""
    pid, began = os.getpid(), monotonic() - used
    for worker in [w for w in _workers if w.pid == pid and not w.ended]:
        flush(worker, max(0.0, worker.exit_timeout - (monotonic() - began)))
    return monotonic() - began


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


def _hook_rq(module: Any) -> None:
    """RQ ends the process of a job with `os._exit`, so each job flushes once its fate is saved."""
    worker_class = getattr(module, "BaseWorker", module.Worker)
    for name in _ENDS_OF_RQ_JOBS:
        ended = getattr(worker_class, name, None)
        if ended is not None and not hasattr(ended, "__wrapped__"):
            setattr(worker_class, name, _then_flush(ended))


def _then_flush(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            flush_before("at the end of a job")

    return run


_ENDS_OF_RQ_JOBS = ("handle_job_success", "handle_job_failure", "handle_job_retry")
_HOOKS = {
    "multiprocessing.util": _hook_multiprocessing,
    "celery.signals": _hook_celery,
    "rq.worker": _hook_rq,
}
