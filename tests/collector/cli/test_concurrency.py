"""Concurrency slots: a request that waits for its client holds none, and memory is bounded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from threading import BoundedSemaphore, Event, Thread
from typing import Any

import pytest

from pequel_collector.errors import Unavailable
from pequel_collector.server.concurrency import (
    CHUNK,
    ByteBudget,
    ConcurrencySlots,
    Slot,
    SlotFreeingBody,
)

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


def body(content: bytes, budget: ByteBudget) -> SlotFreeingBody:
    slot = Slot(BoundedSemaphore(1), WITHIN)
    assert slot.take()
    return SlotFreeingBody(io.BytesIO(content), slot, budget)


def busy(_environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
    return [b"busy"]


def with_one_slot(application: Any, timeout: float = WITHIN) -> ConcurrencySlots:
    return ConcurrencySlots(application, 1, CHUNK, busy, timeout)


def request(body: Any = None, path: str = "/", **more: Any) -> dict[str, Any]:
    return {"PATH_INFO": path, "wsgi.input": body or io.BytesIO(), **more}


class TestSlots:
    def test_a_request_that_waits_for_its_client_frees_its_slot(self) -> None:
        answers = []
        slow = Slow(b"late")
        application = with_one_slot(reading)
        waiting = in_thread(lambda: answers.extend(application(request(slow), None)))
        assert slow.asked.wait(WITHIN)
        answers.extend(application(request(io.BytesIO(b"early")), None))
        slow.comes.set()
        waiting.join(WITHIN)
        assert answers == [b"early", b"late"]

    def test_only_so_many_requests_run_at_once(self) -> None:
        inside, leave, second = Event(), Event(), Event()

        def work(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
            if environ["number"] == 2:
                second.set()
            inside.set()
            assert leave.wait(WITHIN)
            return []

        application = with_one_slot(work)
        threads = [in_thread(lambda: application(request(number=1), None))]
        assert inside.wait(WITHIN)
        threads.append(in_thread(lambda: application(request(number=2), None)))
        assert not second.is_set()
        leave.set()
        for thread in threads:
            thread.join(WITHIN)
        assert second.is_set()

    def test_a_request_that_gets_none_in_time_is_answered_that_all_are_busy(self) -> None:
        answers: list[Any] = []

        def work(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/":
                answers.append(application(request(path="/other"), None))
            return [b"done"]

        application = with_one_slot(work, timeout=0.01)
        answers.append(application(request(), None))
        answers.append(application(request(path="/other"), None))
        assert answers == [[b"busy"], [b"done"], [b"done"]]

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_questions_about_health_need_none(self, path: str) -> None:
        def work(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/":
                return application(request(path=path), None)
            return [b"alive"]

        application = with_one_slot(work)
        assert application(request(), None) == [b"alive"]

    def test_a_body_that_gets_none_back_in_time_is_unavailable_and_frees_no_other(self) -> None:
        slots = BoundedSemaphore(1)
        slot, other = Slot(slots, 0.01), Slot(slots, 0.01)
        assert slot.take()

        class Body(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                assert other.take()
                return super().read(size)

        with pytest.raises(Unavailable, match="too many requests"):
            SlotFreeingBody(Body(b"x"), slot, ByteBudget(0)).read()
        slot.free()
        assert not Slot(slots, 0.01).take()


class TestBodies:
    @pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
    @pytest.mark.parametrize("size", [None, -1, 0, 1, CHUNK, CHUNK + 1, 4 * CHUNK])
    def test_are_read_as_files_are(self, length: int, size: int | None) -> None:
        content = bytes(n % 251 for n in range(length))
        read = body(content, ByteBudget(4 * CHUNK))
        assert read.read(size) == io.BytesIO(content).read(size)

    def test_are_read_in_lines(self) -> None:
        assert list(body(b"a\nb\nc", ByteBudget(0))) == [b"a\n", b"b\n", b"c"]

    def test_small_ones_need_no_budget(self) -> None:
        assert body(b"x" * (CHUNK - 1), ByteBudget(0)).read() == b"x" * (CHUNK - 1)

    def test_large_ones_are_refused_without_budget(self) -> None:
        with pytest.raises(Unavailable):
            body(b"x" * 3 * CHUNK, ByteBudget(2 * CHUNK)).read()

    @pytest.mark.parametrize("length", [3 * CHUNK, 9 * CHUNK])
    def test_the_budget_is_given_back(self, length: int) -> None:
        budget = ByteBudget(4 * CHUNK)
        try:
            body(b"x" * length, budget).read()
        except Unavailable:
            assert length > 4 * CHUNK
        budget.reserve(4 * CHUNK)
