"""With a spool, events outlive the process and the outage: each is sent, and counted once."""

import errno
import gc
import json
import logging
import os
import shutil
import stat
import threading
import time
from contextlib import suppress
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel import (
    Client,
    DroppedError,
    Outcome,
    RecordingTransport,
    Rejection,
    Verdict,
)
from pequel.clock import Clock
from pequel.config import checked
from pequel.sending.callbacks import Callbacks
from pequel.sending.sender import Sender
from pequel.spool import journal, locks
from pequel.spool.segment import Segment
from pequel.spool.spool import Spool

OK = Outcome(Verdict.DELIVERED)
RETRY = Outcome(Verdict.RETRY, "status 503")
REFUSED = Outcome(Verdict.REFUSED, "status 404")
UNAUTHORIZED = Outcome(Verdict.UNAUTHORIZED, "status 401")


class HandClock(Clock):
    """Time that passes only when it is moved."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def advance(self, seconds):
        self.seconds += seconds


class Answers:
    """A transport that gives one answer until it is told another; `came` is what got through."""

    def __init__(self, outcome=OK):
        self.outcome = outcome
        self.loses_receipts = False
        self.tried = []
        self.came = []

    def send(self, events):
        numbers = [json.loads(event)["n"] for event in events]
        self.tried.append(numbers)
        if self.outcome.verdict is Verdict.DELIVERED:
            self.came += numbers
        return RETRY if self.loses_receipts else self.outcome


class Process:
    """What a process has of a spool: a queue and a sender, but no thread, and a clock by hand."""

    def __init__(self, folder, transport=None, segment_bytes=None, **options):
        self.clock = HandClock()
        self.transport = transport or Answers()
        self.errors = []
        options = checked({"spool": folder, "flush_interval": 0, **options})
        callbacks = Callbacks(lambda error, message: self.errors.append((error, message)))
        self.spool = Spool(options, lambda: None, self.clock, callbacks)
        if segment_bytes:
            self.spool._segment_bytes = segment_bytes
        self.sender = Sender(
            self.spool, self.transport, options, callbacks, self.clock, lambda: 1.0
        )

    def put(self, *numbers):
        for number in numbers:
            self.spool.put(json.dumps({"n": number}).encode())

    def run(self, steps=1_000):
        """Step until nothing waits, or there is nothing but waiting."""
        while steps and (wait := self.sender.step()) is not None:
            self.clock.advance(wait)
            steps -= 1

    def crash(self):
        """End as by a kill: files stay as they are, locks end."""
        for one in (self.spool._own, *self.spool._recovered_journals):
            if one is not None:
                one.close_files()

    def leave(self):
        """End as by a shutdown whose time is up."""
        self.spool.closed = "shutdown"
        self.sender.abandoned = True
        self.sender.step()

    @property
    def came(self):
        return self.transport.came

    @property
    def stats(self):
        stats = self.spool.stats()
        assert stats.accepted == stats.delivered + stats.dropped + stats.queued
        assert stats.dropped == sum(stats.dropped_by_reason.values())
        assert stats.queued >= 0
        return stats


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def start(folder):
    """Starts a process on the folder; at the end, all have ended."""
    processes = []

    def started(transport=None, **options):
        processes.append(Process(folder, transport, **options))
        return processes[-1]

    yield started
    for process in processes:
        process.crash()


def files(folder, kind, name=""):
    return sorted(folder.glob(f"{name}*.{kind}"))


# -- one process -----------------------------------------------------------------------------


def test_an_event_is_on_disk_when_the_call_returns(start, folder):
    """A line with its checksum, which anybody can read."""
    start().put(7)
    (file,) = files(folder, "spool")
    assert file.read_bytes() == b'%08x {"n": 7}\n' % crc32(b'{"n": 7}')


def test_what_is_spooled_is_private(start, folder):
    """Nobody else can read the events of a product's users."""
    start().put(1)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_events_are_sent_from_disk_in_their_order(start, folder):
    """Over many files, each of which goes when all of it is delivered."""
    process = start(segment_bytes=100, batch_events=7)
    process.put(*range(50))
    assert len(files(folder, "spool")) == 9
    process.run()
    assert process.came == list(range(50))
    assert [len(batch) for batch in process.transport.tried] == [7] * 7 + [1]
    assert len(files(folder, "spool")) == 1
    assert process.stats[:4] == (50, 50, 0, 0)


def test_a_batch_is_bounded_in_bytes(start):
    process = start(batch_bytes=20)
    process.put(*range(5))
    process.run()
    assert process.transport.tried == [[0, 1], [2, 3], [4]]


def test_an_outage_is_not_limited_by_the_queue_nor_by_retries(start):
    """An hour of it, with a queue for ten events in memory, costs nothing."""
    process = start(Answers(RETRY), max_queue_events=10, max_retries=1)
    for minute in range(60):
        process.put(*range(minute * 10, minute * 10 + 10))
        began = process.clock.seconds
        while process.clock.seconds < began + 60:
            process.clock.advance(process.sender.step())
    assert process.stats[:4] == (600, 0, 0, 600)
    process.transport.outcome = OK
    process.run()
    assert process.came == list(range(600))
    assert process.stats[:4] == (600, 600, 0, 0)


def test_an_event_that_is_refused_is_dropped_alone(start):
    """The place on disk moves on past it."""
    answers = Answers(Outcome(Verdict.DELIVERED, rejected=(Rejection(1, "too_deep"),)))
    process = start(answers)
    process.put(1, 2, 3)
    process.run(1)
    assert process.stats.dropped_by_reason == {"rejected": 1}
    process.crash()
    after = start()
    after.run(20)
    assert (after.came, after.stats[:4]) == ([], (0, 0, 0, 0))


def test_a_batch_of_which_every_event_is_refused_is_done(start):
    process = start(Answers(Outcome(Verdict.DELIVERED, rejected=(Rejection(0), Rejection(1)))))
    process.put(1, 2)
    process.run(20)
    assert process.stats[:4] == (2, 0, 2, 0)


def test_a_batch_that_is_too_large_is_split(start):
    class Narrow(Answers):
        def send(self, events):
            return super().send(events) if len(events) == 1 else Outcome(Verdict.SPLIT)

    process = start(Narrow())
    process.put(*range(5))
    process.run()
    assert process.came == [0, 1, 2, 3, 4]
    assert process.stats[:4] == (5, 5, 0, 0)


def test_a_key_that_is_unknown_destroys_nothing(start, caplog):
    """It is said once; when the key works, everything is sent."""
    process = start(Answers(UNAUTHORIZED))
    process.put(*range(5))
    process.run(20)
    assert len(process.transport.tried) > 3
    process.put(5)
    assert process.stats[:4] == (6, 0, 0, 6)
    assert [(error.reason, message) for error, message in process.errors] == [
        ("unauthorized", None)
    ]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    process.transport.outcome = OK
    process.run()
    assert process.came == list(range(6))


def test_a_batch_that_is_refused_is_tried_again_for_a_while(start):
    """It is valid, so the answer is somebody else's, such as a proxy's whose collector is away."""
    process = start(Answers(REFUSED), max_retries=3)
    process.put(1)
    process.run(4)
    process.transport.outcome = OK
    process.run(20)
    assert process.came == [1]


def test_a_batch_that_is_refused_again_and_again_is_dropped(start):
    """It does not hold up the others for ever."""
    process = start(Answers(REFUSED), max_retries=3)
    process.put(1)
    process.run(20)
    assert process.transport.tried == [[1]] * 4
    assert process.stats.dropped_by_reason == {"rejected": 1}
    assert [message for _, message in process.errors] == [{"n": 1}]


# -- room -------------------------------------------------------------------------------------


def test_when_the_folder_is_full_the_oldest_file_is_dropped_and_told(start, folder):
    """Counted for its reason, event by event, and the newest stay."""
    process = start(Answers(RETRY), spool_bytes=65_536)
    for number in range(5_000):
        process.put(number)
        process.sender.step()
    size = sum(file.stat().st_size for file in files(folder, "spool"))
    assert 55_000 < size <= 65_536 + 4_200
    dropped = process.stats.dropped_by_reason["spool_full"]
    assert 0 < dropped < 5_000
    assert {error.reason for error, _ in process.errors} == {"spool_full"}
    told = [message["n"] for _, message in process.errors]
    assert len(told) == dropped
    process.transport.outcome = OK
    process.run()
    assert sorted(process.came + told) == list(range(5_000))
    assert process.came == sorted(process.came)
    assert process.came[-1] == 4_999
    assert process.stats[:4] == (5_000, 5_000 - dropped, dropped, 0)


def test_what_others_left_counts_for_the_room_and_is_dropped_first(start, folder):
    """The bound is one of the folder."""
    before = start(Answers(RETRY), spool_bytes=65_536)
    before.put(*range(2_500))
    before.crash()
    process = start(Answers(RETRY), spool_bytes=65_536)
    for number in range(2_500, 5_000):
        process.put(number)
        process.sender.step()
    process.transport.outcome = OK
    process.run()
    stats = process.stats
    told = [message["n"] for _, message in process.errors]
    assert sorted(process.came + told) == list(range(5_000))
    assert max(told) < 2_500
    assert stats.accepted == 5_000
    assert (stats.recovered, stats.queued) == (2_500, 0)


def test_a_sender_that_makes_no_room_does_not_let_the_disk_fill_up(start, folder):
    """Beyond twice the bound, events wait in memory, as many as may."""
    process = start(Answers(RETRY), spool_bytes=65_536, max_queue_events=100)
    process.put(*range(20_000))
    assert sum(file.stat().st_size for file in files(folder, "spool")) < 4 * 65_536
    assert process.stats.dropped_by_reason["queue_full"] > 0
    assert process.spool.lost_if_we_exit == 100


# -- disks that fail --------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that takes so many bytes of events more; `disk["room"]` says how many."""
    disk = {"room": 10**9}
    write = os.write

    def limited(descriptor, data):
        if not data.endswith(b"}\n"):
            return write(descriptor, data)
        if disk["room"] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = data[: disk["room"]]
        disk["room"] -= len(part)
        return write(descriptor, part)

    monkeypatch.setattr(os, "write", limited)
    return disk


@pytest.mark.parametrize("room", [0, 1, 40, 18 * 3, 18 * 3 + 17])
def test_when_the_disk_is_full_events_wait_in_memory(start, full_disk, room, caplog):
    """Also after half a line was written; all are sent, each once, in their order."""
    full_disk["room"] = room
    process = start(Answers(RETRY))
    process.put(*range(8))
    assert process.spool.lost_if_we_exit == 8 - room // 18
    process.run(3)
    process.put(8)
    process.transport.outcome = OK
    process.run()
    assert process.came == list(range(9))
    assert process.stats[:4] == (9, 9, 0, 0)
    messages = [record.getMessage() for record in caplog.records]
    assert sum("events wait in memory" in message for message in messages) == 1


def test_when_the_disk_has_room_again_what_waited_in_memory_is_written(start, full_disk):
    """So it outlives the process after all."""
    full_disk["room"] = 40
    process = start(Answers(RETRY))
    process.put(*range(8))
    full_disk["room"] = 10**9
    process.put(8)
    assert process.spool.lost_if_we_exit == 7
    process.clock.advance(1.0)
    process.sender.step()
    assert process.spool.lost_if_we_exit == 0
    process.put(9)
    process.crash()
    after = start()
    after.run(50)
    assert after.came == list(range(10))
    assert after.stats.recovered == 10


def test_without_a_disk_the_queue_is_bounded_as_without_a_spool(start, full_disk):
    full_disk["room"] = 0
    process = start(Answers(RETRY), max_queue_events=3)
    process.put(*range(5))
    assert process.stats.dropped_by_reason == {"queue_full": 2}
    assert process.stats.queued == 3


def test_a_folder_that_cannot_be_made_costs_nothing_but_the_spooling(tmp_path):
    """A file is where the folder should be."""
    (tmp_path / "file").write_text("")
    process = Process(tmp_path / "file" / "spool")
    process.put(*range(5))
    process.run(20)
    assert process.came == list(range(5))
    assert process.stats[:4] == (5, 5, 0, 0)


def test_a_disk_that_can_only_be_read_costs_nothing_but_the_spooling(start, monkeypatch):
    """What is there stays there, for a process that may write."""
    before = start(Answers(RETRY))
    before.put(100)
    before.crash()
    opened = os.open

    def read_only(path, flags, *mode):
        if flags & (os.O_CREAT | os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        process = start()
        process.put(*range(5))
        process.run(20)
        assert process.came == list(range(5))
        assert process.stats[:4] == (5, 5, 0, 0)
    process.clock.advance(10)
    process.run(20)
    assert process.came[5:] == [100]


def test_what_can_be_neither_sent_nor_written_at_the_end_is_dropped_and_told(start, full_disk):
    """As without a spool; what is on disk stays."""
    full_disk["room"] = 36
    process = start(Answers(RETRY))
    process.put(*range(5))
    process.run(5)
    process.leave()
    assert process.stats[:4] == (5, 0, 3, 2)
    assert [(error.reason, message["n"]) for error, message in process.errors] == [
        ("shutdown", 2),
        ("shutdown", 3),
        ("shutdown", 4),
    ]


def test_what_the_sender_holds_of_the_memory_is_written_at_the_end_if_it_can_be(start, full_disk):
    full_disk["room"] = 0
    process = start(Answers(RETRY))
    process.put(*range(5))
    process.run(2)
    full_disk["room"] = 10**9
    process.leave()
    assert process.stats[:4] == (5, 0, 0, 5)
    after = start()
    after.run(20)
    assert after.came == list(range(5))


def test_a_file_that_disappears_is_counted(start, folder):
    """Somebody tidied up: what was in it is lost, and said to be; the books balance."""
    process = start(Answers(RETRY), segment_bytes=100, batch_events=2)
    process.put(*range(30))
    process.run(3)
    files(folder, "spool")[2].unlink()
    process.transport.outcome = OK
    process.run()
    assert process.stats[:4] == (30, 24, 6, 0)
    assert process.stats.dropped_by_reason == {"spool_unreadable": 6}
    assert [message for _, message in process.errors] == [None]


def test_what_was_in_a_folder_that_disappeared_is_counted_without_another_event(start, folder):
    """So that a flush has an end."""
    process = start()
    process.put(1, 2)
    shutil.rmtree(folder)
    process.run(50)
    assert process.stats[:4] == (2, 0, 2, 0)
    assert process.stats.dropped_by_reason == {"spool_unreadable": 2}
    assert process.spool.reached(process.spool.flush_target())
    process.put(3)
    process.run(50)
    assert process.came == [3]


def test_an_event_may_be_longer_than_many_pieces_of_a_file(start):
    """Where the settings allow it."""
    process = start()
    process.spool.put(json.dumps({"n": 1, "x": "y" * 20_000_000}).encode())
    process.run(50)
    assert process.came == [1]


def test_a_folder_that_disappears_is_made_anew(start, folder):
    """Its lock, too, so that nobody takes it for one that was left."""
    process = start(Answers(RETRY), segment_bytes=100)
    process.put(1)
    process.sender.step()
    shutil.rmtree(folder)
    process.put(*range(2, 20))
    other = start()
    other.run(20)
    assert other.came == []
    process.transport.outcome = OK
    process.run()
    assert process.came[-1] == 19
    assert process.stats.queued == 0


# -- others -----------------------------------------------------------------------------------


def test_what_a_crashed_process_left_is_sent_by_the_next(start, folder):
    """In its order, and its files go."""
    before = start(Answers(RETRY), segment_bytes=100)
    before.put(*range(30))
    before.run(3)
    before.crash()
    after = start(batch_events=7)
    after.put(100)
    after.run(50)
    assert after.came == [100, *range(30)]
    assert after.stats[:4] == (31, 31, 0, 0)
    assert after.stats.recovered == 30
    assert len(files(folder, "spool")) == 1
    assert len(files(folder, "lock")) == 1


def test_what_a_crashed_process_had_delivered_is_not_sent_again(start):
    """But for a batch whose receipt it did not see."""
    before = start(batch_events=5)
    before.put(*range(20))
    before.run(2)
    before.transport.loses_receipts = True
    before.run(1)
    before.crash()
    assert before.came == list(range(15))
    after = start()
    after.run(20)
    assert after.came == list(range(10, 20))


def test_one_that_runs_already_sends_what_is_left_later(start):
    """It looks every ten seconds."""
    running, other = start(), start(Answers(RETRY))
    running.run(20)
    other.put(1, 2)
    other.run(3)
    other.crash()
    assert running.came == []
    assert running.spool.limit_wait(None) <= 10
    running.clock.advance(10)
    running.run(20)
    assert running.came == [1, 2]


def test_the_files_of_a_process_that_lives_are_left_alone(start):
    """Two processes share a folder, and each sends its own."""
    one, other = start(), start()
    for number in range(10):
        one.put(number)
        other.put(100 + number)
    one.run(50)
    other.run(50)
    assert one.came == list(range(10))
    assert other.came == list(range(100, 110))


def test_of_many_that_look_one_takes_over(start):
    before = start(Answers(RETRY))
    before.put(*range(10))
    before.crash()
    others = [start() for _ in range(3)]
    for other in others:
        other.run(20)
    assert sorted(len(other.came) for other in others) == [0, 0, 10]


def test_of_many_that_are_left_only_so_many_are_held_at_a_time(start, folder):
    """Descriptors are the host's; the rest come when these are done."""
    for number in range(150):
        before = start(Answers(RETRY))
        before.put(number)
        before.crash()
    after = start()
    after.spool.maintain()
    assert len(after.spool._recovered_journals) == 64
    after.run(400)
    assert sorted(after.came) == list(range(150))
    assert list(folder.iterdir()) == []


def test_who_takes_over_may_crash_as_well(start):
    """The next goes on where it stopped."""
    before = start(Answers(RETRY))
    before.put(*range(10))
    before.crash()
    second = start(batch_events=3)
    second.run(2)
    second.crash()
    assert second.came == list(range(6))
    third = start()
    third.run(20)
    assert third.came == list(range(6, 10))
    assert third.stats.recovered == 4


def test_a_shutdown_leaves_what_was_not_delivered_in_time(start):
    """It stays queued, is no drop, and the next process sends it."""
    process = start(Answers(RETRY))
    process.put(*range(5))
    process.run(5)
    process.leave()
    assert process.stats[:4] == (5, 0, 0, 5)
    process.put(5)
    assert process.stats.dropped_by_reason == {"shutdown": 1}
    after = start()
    after.run(20)
    assert after.came == list(range(5))


def test_a_shutdown_after_which_nothing_is_left_leaves_no_file(start, folder):
    process = start()
    process.put(*range(5))
    process.run(5)
    process.leave()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "tail",
    [b"", b"0", b"00000000", b'00000000 {"n": 99', b'00000000 {"n": 99}', b"\0" * 50_000],
    ids=["nothing", "digit", "checksum", "torn", "no-newline", "zeros"],
)
def test_a_torn_tail_costs_that_record_only(start, folder, tail):
    """It was never accepted, so it is no loss."""
    before = start(Answers(RETRY))
    before.put(*range(5))
    before.crash()
    with files(folder, "spool")[0].open("ab") as file:
        file.write(tail)
    after = start()
    after.run(20)
    assert after.came == list(range(5))
    assert after.stats[:4] == (5, 5, 0, 0)
    assert files(folder, "spool") == []


def test_a_record_that_was_spoiled_costs_that_record_only(start, folder):
    """Counted, as it was accepted once."""
    before = start(Answers(RETRY))
    before.put(*range(5))
    before.crash()
    (file,) = files(folder, "spool")
    file.write_bytes(file.read_bytes().replace(b'"n": 2', b'"n": 9'))
    after = start()
    after.run(20)
    assert after.came == [0, 1, 3, 4]
    assert after.stats.dropped_by_reason == {"spool_unreadable": 1}
    assert after.stats.recovered == 5


@pytest.mark.parametrize("place", [b"", b"rubbish", b"99999999 00000000000000000000", b"\0" * 40])
def test_a_place_that_cannot_be_read_means_sending_again(start, folder, place):
    """Which is safe, as an id counts once."""
    before = start(batch_events=2)
    before.put(*range(6))
    before.run(1)
    before.crash()
    files(folder, "lock")[0].write_bytes(place)
    after = start()
    after.run(20)
    assert after.came == list(range(6))


def test_what_is_not_ours_is_left_alone(start, folder):
    """Neither read nor deleted, whatever it looks like."""
    folder.mkdir()
    (folder / "notes.txt").write_text("keep")
    (folder / "0.spool").write_bytes(b"\xff" * 10)
    (folder / "folder.lock").mkdir()
    (folder / ("0" * 20 + "-00000001.spool")).mkdir()
    process = start()
    process.put(1)
    process.run(20)
    assert process.came == [1]
    assert len(list(folder.iterdir())) >= 6
    assert (folder / "notes.txt").read_text() == "keep"


def test_a_file_of_ours_that_is_rubbish_throughout_is_passed_over(start, folder):
    folder.mkdir()
    name = "0" * 20
    (folder / f"{name}-00000001.spool").write_bytes(os.urandom(100_000))
    (folder / f"{name}-00000002.spool").write_bytes(b'%08x {"n": 3}\n' % crc32(b'{"n": 3}'))
    process = start()
    process.run(20)
    assert process.came == [3]
    assert process.stats.queued == 0


def test_without_locks_what_is_there_at_the_start_is_taken_over(start, monkeypatch):
    """As on Windows, where every process needs a folder of its own."""
    monkeypatch.setattr(locks, "_fcntl", None)
    monkeypatch.setattr(locks, "AVAILABLE", False)
    before = start(Answers(RETRY))
    before.put(1, 2)
    before.crash()
    after = start()
    after.put(3)
    after.run(20)
    assert after.came == [3, 1, 2]
    late = start(Answers(RETRY))
    late.put(4)
    after.clock.advance(60)
    after.run(20)
    assert after.came == [3, 1, 2]


def test_a_file_system_without_locks_keeps_what_is_written(start, monkeypatch):
    """Each process sends its own; what another left stays until there are locks."""

    def unsupported(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks._fcntl, "flock", unsupported)
    before = start(Answers(RETRY))
    before.put(1)
    after = start()
    after.put(2)
    after.run(20)
    assert after.came == [2]


# -- interruptions ----------------------------------------------------------------------------


def test_a_put_that_interrupts_a_write_is_written_after_it(start, monkeypatch):
    """A signal handler or a finalizer may track; no half line, no lost count, no deadlock."""
    process = start()
    write = os.write
    inner = iter([1, 2, None])

    def interrupted(descriptor, data):
        if data.endswith(b"}\n") and (number := next(inner, None)) is not None:
            process.put(number)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", interrupted)
    process.put(0)
    process.run()
    assert process.came == [0, 1, 2]
    assert process.stats[:4] == (3, 3, 0, 0)


def test_an_interruption_that_raises_costs_no_event(start, monkeypatch):
    """Ctrl-C during a call: the event was written, and is sent once."""
    process = start()
    write = os.write

    def interrupted(descriptor, data):
        write(descriptor, data)
        monkeypatch.setattr(os, "write", write)
        raise KeyboardInterrupt

    process.put(0)
    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        process.put(1)
    process.put(2)
    process.run()
    assert process.came == [0, 1, 2]
    assert process.stats[:4] == (3, 3, 0, 0)


@pytest.mark.parametrize("written", [True, False])
def test_a_time_limit_that_ends_a_write_costs_no_event(start, monkeypatch, written):
    """Nor a count, whether or not the event was written by then."""
    process = start()
    append = Segment.append

    def interrupted(segment, event):
        if written:
            append(segment, event)
        monkeypatch.setattr(Segment, "append", append)
        raise RecursionError

    process.put(0)
    monkeypatch.setattr(Segment, "append", interrupted)
    with pytest.raises(RecursionError):
        process.put(1)
    process.put(2)
    process.run()
    assert process.came == [0, 1, 2]
    assert process.stats[:4] == (3, 3, 0, 0)


class Waiting:
    """Three threads that put an event while a fourth one is in its write."""

    def __init__(self, process, monkeypatch):
        self.process, self.writes = process, []
        self.entered, self.resume = threading.Event(), threading.Event()
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def put(self, number):
        with suppress(RecursionError):
            self.process.put(number)

    def write(self, descriptor, data):
        if not data.endswith(b"}\n"):
            return self._write(descriptor, data)
        self.writes.append(data.count(b"\n"))
        if len(self.writes) == 1:
            self.entered.set()
            self.resume.wait()
        write = self.tampered if len(self.writes) == 2 else self._write
        return write(descriptor, data)

    def tampered(self, descriptor, data):
        return self._write(descriptor, data)

    def run(self):
        threads = [threading.Thread(target=self.put, args=[n]) for n in range(4)]
        threads[0].start()
        self.entered.wait()
        for thread in threads[1:]:
            thread.start()
        while len(self.process.spool._inbox) < 3:
            time.sleep(0)
        self.resume.set()
        for thread in threads:
            thread.join()


def test_events_that_wait_for_a_write_are_written_in_one(start, monkeypatch):
    process = start()
    waiting = Waiting(process, monkeypatch)
    waiting.run()
    assert waiting.writes == [1, 3]
    process.run()
    assert sorted(process.came) == [0, 1, 2, 3]
    assert process.stats[:4] == (4, 4, 0, 0)


def test_a_disk_that_fills_up_within_a_write_keeps_what_was_written(start, monkeypatch):
    """The whole lines are on disk; the others wait in memory, and are written later."""
    process = start()
    waiting = Waiting(process, monkeypatch)
    waiting.tampered = lambda descriptor, data: waiting._write(descriptor, data[: len(data) // 2])
    waiting.run()
    assert len(process.spool._memory) == 2
    assert process.spool._written == 2
    process.clock.advance(1)
    process.run()
    assert sorted(process.came) == [0, 1, 2, 3]
    assert process.stats[:4] == (4, 4, 0, 0)


def test_an_interruption_of_a_write_of_several_costs_no_event(start, monkeypatch):
    """Ctrl-C after half of them was written, in a thread that writes for others too."""
    process = start()
    waiting = Waiting(process, monkeypatch)

    def half(descriptor, data):
        waiting._write(descriptor, data[: data.index(b"\n") + 5])
        raise RecursionError

    waiting.tampered = half
    waiting.run()
    process.run()
    assert sorted(process.came) == [0, 1, 2, 3]
    assert process.stats[:4] == (4, 4, 0, 0)


def test_threads_lose_no_event(start, folder):
    """When a call returns, its event is written, whoever wrote it."""
    process = start(Answers(RETRY), segment_bytes=5_000)
    missing = []

    def work(thread):
        for number in range(300):
            process.put(thread * 1_000 + number)
            if number % 50 == 0:
                text = b"".join(file.read_bytes() for file in files(folder, "spool"))
                missing.extend([number] * (b'{"n": %d}\n' % (thread * 1_000 + number) not in text))

    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    process.transport.outcome = OK
    process.run()
    assert sorted(process.came) == sorted(t * 1_000 + n for t in range(4) for n in range(300))
    assert process.stats[:4] == (1_200, 1_200, 0, 0)


# -- the law ----------------------------------------------------------------------------------

processes = st.integers(0, 1)
usual = st.sampled_from(["put", "put", "put", "step", "step", "up"])
troubles = st.sampled_from(["down", "deaf", "crash", "torn", "leave", "look", "full", "room"])
moves = st.lists(st.tuples(usual | troubles, processes), max_size=60)


class World:
    """Two processes on one folder, each of which is started again when it has ended."""

    def __init__(self, folder):
        self.folder = folder
        self.running = {}
        self.came = []
        self.put = []
        self.memory_lost = set()
        self.disk_full = False

    def process(self, which):
        if which not in self.running:
            self.running[which] = Process(self.folder, Answers(), 120, batch_events=3)
        return self.running[which]

    def end(self, which, how):
        process = self.running.pop(which, None)
        if process is None:
            return
        own = process.spool._own
        if how == "leave":
            process.leave()
            assert process.stats
        else:
            memory = [*process.spool._in_flight, *process.spool._memory]
            self.memory_lost |= {json.loads(e)["n"] for e in memory if isinstance(e, bytes)}
            process.crash()
        self.memory_lost |= {m["n"] for e, m in process.errors if e.reason == "shutdown"}
        self.came += process.came
        if how == "torn" and (there := files(self.folder, "spool", own.name if own else "none")):
            with there[-1].open("ab") as file:
                file.write(b'00000000 {"n"')

    def do(self, move, which):
        if move in ("crash", "torn", "leave"):
            return self.end(which, move)
        process = self.process(which)
        if move == "put":
            self.put.append(len(self.put) * 2 + which)
            process.put(self.put[-1])
        elif move == "step":
            process.sender.step()
        elif move == "look":
            process.clock.advance(40)
        elif move in ("down", "up"):
            process.transport.outcome = RETRY if move == "down" else OK
            process.transport.loses_receipts = False
        elif move == "deaf":
            process.transport.loses_receipts = True
        else:
            self.disk_full = move == "full"
        return process.stats

    def drain(self):
        self.disk_full = False
        for which in list(self.running):
            self.end(which, "crash")
        last = Process(self.folder)
        last.run(200)
        self.came += last.came
        assert last.stats.queued == 0
        last.leave()


@given(moves)
def test_every_intact_record_is_delivered_in_order_and_never_lost(tmp_path_factory, sequence):
    """Whatever outages, lost receipts, crashes, torn tails and full disks there are."""
    world = World(tmp_path_factory.mktemp("law") / "spool")
    write = os.write

    def limited(descriptor, data):
        if world.disk_full and data.endswith(b"}\n"):
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", limited)
        for move, which in sequence:
            world.do(move, which)
        world.drain()
    assert set(world.put) - world.memory_lost <= set(world.came) <= set(world.put)
    assert list(world.folder.parent.glob("spool/*")) == []


@given(moves)
def test_each_process_delivers_its_own_in_order(tmp_path_factory, sequence):
    """An event is first delivered after all those put before it by the same process."""
    folder = tmp_path_factory.mktemp("order") / "spool"
    process = Process(folder, Answers(), 120, batch_events=3)
    number = 0
    for move, _ in sequence:
        if move == "put":
            process.put(number)
            number += 1
        elif move == "step":
            process.sender.step()
        elif move in ("down", "up", "deaf"):
            process.transport.outcome = RETRY if move == "down" else OK
            process.transport.loses_receipts = move == "deaf"
        elif move == "look":
            process.clock.advance(40)
    process.transport.loses_receipts = False
    process.transport.outcome = OK
    process.clock.advance(100)
    process.run(200)
    process.crash()
    assert list(dict.fromkeys(process.came)) == list(range(number))


def test_the_error_of_a_dropped_event_says_what_happened():
    assert str(DroppedError("spool_full", "the oldest")) == "spool_full: the oldest"


def test_a_journal_tells_when_no_file_can_be_locked(folder, monkeypatch):
    """Rather than writing where nobody could tell that it lives."""
    monkeypatch.setattr(locks, "lock", lambda _: False)
    with pytest.raises(OSError, match="no file could be locked"):
        journal.create(folder, 100)


# -- with a client ----------------------------------------------------------------------------


@pytest.fixture
def backlog(start):
    """What a process left that has crashed."""
    before = start(Answers(RETRY))
    before.put(*range(500))
    before.crash()


def test_a_flush_waits_for_what_others_left_as_well(folder, backlog):
    """So that a job of a second sends what the one before it left."""
    transport = RecordingTransport()
    with Client("key", transport=transport, spool=folder) as client:
        client.track("u1", "e")
        assert client.flush()
        assert client.stats() == (501, 501, 0, 0, 0, {}, 500)
    assert list(folder.iterdir()) == []


def test_a_call_that_sends_by_itself_waits_for_its_own_event_only(folder, backlog):
    """With sync=True, a backlog of others goes with the flush."""
    transport = RecordingTransport()
    client = Client("key", transport=transport, spool=folder, sync=True)
    client.track("u1", "e")
    assert [event.get("event") for event in transport.events] == ["e"]
    assert client.flush()
    assert client.stats() == (501, 501, 0, 0, 0, {}, 500)
    assert client.shutdown()
    assert list(folder.iterdir()) == []


def test_without_a_key_nothing_is_spooled(folder):
    """A machine of a developer is not filled with events that nobody will send."""
    with Client("", spool=folder) as client:
        client.track("u1", "e")
    assert client.stats().dropped_by_reason == {"unauthorized": 1}
    assert not folder.exists()


def test_a_shutdown_says_that_something_is_left(folder):
    transport = RecordingTransport([RETRY] * 100)
    client = Client("key", transport=transport, spool=folder)
    client.track("u1", "e")
    assert client.shutdown(0.05) is False
    assert client.stats()[:4] == (1, 0, 0, 1)


def test_a_client_that_is_thrown_away_leaves_no_file_once_all_is_sent(folder):
    """As the default client is, when another is configured."""
    transport = RecordingTransport()
    client = Client("key", transport=transport, spool=folder)
    client.track("u1", "e")
    del client
    gc.collect()
    deadline = time.monotonic() + 20
    while list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(transport.events) == 1
    assert list(folder.iterdir()) == []
