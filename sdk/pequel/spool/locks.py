"""Locks on files. The system ends a lock with the process that holds it, however that ends."""

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


def lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False if another process holds the lock.

    True on a system without such locks.

    Raises:
        OSError: the file system does not support locks.
    """
    if _fcntl is None:
        return True
    try:
        # Not lockf, whose lock ends when any descriptor of the file is closed.
        _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
