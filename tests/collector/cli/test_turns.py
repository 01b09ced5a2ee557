"""Turns of requests: who waits for a client to send more has none, and memory is bounded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from threading import BoundedSemaphore, Event, Thread
from typing import Any

import pytest

from pequel_collector.errors import Unavailable
from pequel_collector.server.concurrency import PIECE, Body, Room, Turns

WITHIN = 10.0


class Slow:
    """A body that comes when the client says so."""

    def __init__(self, content: bytes) -> None:
        self.asked, self.comes = Event(), Event()
        self._content = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        self.asked.set()
        assert self.comes.wait(WITHIN)
        return self._content.read(size)


def reading(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return [environ["wsgi.input"].read(10)]


def in_thread(work: Callable[[], Any]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def body(content: bytes, room: Room) -> Body:
    turns = BoundedSemaphore(1)
    turns.acquire()
    return Body(io.BytesIO(content), turns, room)


class TestTurns:
    def test_who_waits_for_a_client_lets_others_go_first(self) -> None:
        answers = []
        slow = Slow(b"late")
        application = Turns(reading, 1, PIECE)
        waiting = in_thread(lambda: answers.extend(application({"wsgi.input": slow}, None)))
        assert slow.asked.wait(WITHIN)
        answers.extend(application({"wsgi.input": io.BytesIO(b"early")}, None))
        slow.comes.set()
        waiting.join(WITHIN)
        assert answers == [b"early", b"late"]

    def test_there_are_no_more_than_was_said(self) -> None:
        inside, leave, second = Event(), Event(), Event()

        def work(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
            if environ["number"] == 2:
                second.set()
            inside.set()
            assert leave.wait(WITHIN)
            return []

        application = Turns(work, 1, PIECE)
        threads = [in_thread(lambda: application({"number": 1, "wsgi.input": io.BytesIO()}, None))]
        assert inside.wait(WITHIN)
        threads.append(
            in_thread(lambda: application({"number": 2, "wsgi.input": io.BytesIO()}, None))
        )
        assert not second.is_set()
        leave.set()
        for thread in threads:
            thread.join(WITHIN)
        assert second.is_set()


class TestBodies:
    @pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
    @pytest.mark.parametrize("size", [None, -1, 0, 1, PIECE, PIECE + 1, 4 * PIECE])
    def test_are_read_as_files_are(self, length: int, size: int | None) -> None:
        content = bytes(n % 251 for n in range(length))
        read = body(content, Room(4 * PIECE))
        assert read.read(size) == io.BytesIO(content).read(size)

    def test_are_read_in_lines(self) -> None:
        assert list(body(b"a\nb\nc", Room(0))) == [b"a\n", b"b\n", b"c"]

    def test_small_ones_need_no_room(self) -> None:
        assert body(b"x" * (PIECE - 1), Room(0)).read() == b"x" * (PIECE - 1)

    def test_large_ones_are_put_off_where_there_is_none(self) -> None:
        with pytest.raises(Unavailable):
            body(b"x" * 3 * PIECE, Room(2 * PIECE)).read()

    @pytest.mark.parametrize("length", [3 * PIECE, 9 * PIECE])
    def test_the_room_is_given_back(self, length: int) -> None:
        room = Room(4 * PIECE)
        try:
            body(b"x" * length, room).read()
        except Unavailable:
            assert length > 4 * PIECE
        room.take(4 * PIECE)
