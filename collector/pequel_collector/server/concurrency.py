"""Turns: so many requests are answered at a time, and no slow client keeps others from theirs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from threading import BoundedSemaphore, Lock
from typing import Any, Protocol

from ..errors import Unavailable

PIECE = 65_536
"""Bytes of a body that are waited for at a time; a body that is smaller takes no room."""

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application."""


class Readable(Protocol):
    """Where the server gives the body of a request."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, fewer only at the end."""


class Turns:
    """A WSGI application in front of another one, which has so many requests at a time.

    While a request waits for its client to send more, its turn is another's. What has come of all
    bodies meanwhile is bounded as well: beyond ``room`` bytes, reading on raises Unavailable.
    """

    def __init__(self, application: Application, turns: int, room: int) -> None:
        self._application = application
        self._turns = BoundedSemaphore(turns)
        self._room = Room(room)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, in its turn."""
        environ["wsgi.input"] = Body(environ["wsgi.input"], self._turns, self._room)
        with self._turns:
            return self._application(environ, start_response)


class Room:
    """Bytes in memory, of which there are so many."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = Lock()

    def take(self, size: int) -> None:
        """Take so many. Raises Unavailable where so many are not free."""
        with self._lock:
            if self._free < size:
                raise Unavailable("too many large requests are on their way at once")
            self._free -= size

    def give_back(self, size: int) -> None:
        """Leave so many to others."""
        with self._lock:
            self._free += size


class Body(io.RawIOBase):
    """The body of a request that has a turn; while it is waited for, others have it."""

    def __init__(self, body: Readable, turns: BoundedSemaphore, room: Room) -> None:
        self._body, self._turns, self._room = body, turns, room

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, fewer only at the end; all for -1 and None. Raises Unavailable."""
        wanted = float("inf") if size is None or size < 0 else size
        pieces: list[bytes] = []
        taken = 0
        self._turns.release()
        try:
            while wanted > 0:
                piece = self._body.read(int(min(PIECE, wanted)))
                pieces.append(piece)
                wanted -= len(piece)
                if len(piece) < PIECE:
                    break
                self._room.take(PIECE)
                taken += PIECE
        finally:
            self._turns.acquire()
            self._room.give_back(taken)
        return b"".join(pieces)
