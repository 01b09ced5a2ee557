"""Locks on files, which end with the process that took them, however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_fcntl: ModuleType | None
try:
    import fcntl as _fcntl
except ImportError:  # on Windows
    _fcntl = None

AVAILABLE = _fcntl is not None


def take(descriptor: int) -> bool:
    """Lock an open file for as long as it stays open; whether nobody else has it locked.

    Where the system has no such locks, everybody gets them.

    Raises:
        OSError: the file system knows no locks.
    """
    if _fcntl is None:
        return True
    try:
        # Not lockf, whose lock is gone when any descriptor of the file is closed.
        _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
