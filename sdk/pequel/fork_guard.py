"""Imports that no fork can interrupt.

A thread that imports a module holds the lock of that module. A child that is forked meanwhile has
the lock, but not the thread that would release it, so it can never import the module:

    thread "pequel"   import requests ...        main thread   fork: waits for the import
                      ... done                                 forks
                                                 child         import requests: at once
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_WAIT = 5.0
_NEEDED = (
    "requests", "gzip", "email.utils", "signal", "encodings.idna", "encodings.punycode",
    "pequel.network_errors",
)  # fmt: skip

_importing = threading.RLock()


@contextmanager
def no_fork() -> Iterator[None]:
    """A block that imports; a fork waits until it ends, for at most five seconds."""
    with _importing:
        yield


def import_for_sending() -> None:
    """Import everything that a request needs, so that sending imports nothing later."""
    with no_fork():
        for name in _NEEDED:
            import_module(name)


def _hold_fork() -> None:
    _importing.acquire(timeout=_LONGEST_WAIT)


def _release() -> None:
    with suppress(RuntimeError):  # it was waited for in vain
        _importing.release()


def _renew() -> None:
    global _importing  # noqa: PLW0603 - a thread that the child lacks may hold the old one
    _importing = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_fork, after_in_parent=_release, after_in_child=_renew)
