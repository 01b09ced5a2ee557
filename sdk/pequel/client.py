"""The client: calls become messages, messages become bytes, bytes wait to be sent."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

from pequel import argument_checks, config
from pequel.clock import Clock, WakeEvent
from pequel.decorator import Tracked
from pequel.errors import DroppedError
from pequel.messages import message_id
from pequel.messages.compose import InvalidMessageError, compose
from pequel.messages.encode import encode
from pequel.scope import filled_in
from pequel.sending.callbacks import Callbacks, logger
from pequel.sending.client_report import ClientReports
from pequel.sending.http_transport import HttpTransport
from pequel.sending.queue import EventQueue, Stats
from pequel.sending.sender import Sender
from pequel.sending.sync_worker import SyncWorker
from pequel.sending.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from types import TracebackType
    from typing import TypeAlias

    from pequel.config import Options
    from pequel.decorator import Decorator, Properties, Who
    from pequel.errors import Reason
    from pequel.messages.compose import Data, Id
    from pequel.sending.callbacks import OnError, OnQualified
    from pequel.sending.http_transport import Sessions
    from pequel.sending.transport import Transport
    from pequel.spool.spool import Spool

    Timestamp: TypeAlias = date | str

DEFAULT_TIMEOUT = 10.0


class Client:
    """Sends what users do to a collector, in the background.

    Calls return at once and never raise on account of their arguments; what a signal handler
    raises meanwhile, such as a time limit's, reaches the caller. A message is encoded
    when the call is made: later changes to its values do not show. What cannot be sent is
    counted, see `stats`, and handed to `on_error`.

    Used as a context manager, it is shut down at the end.
    """

    def __init__(
        self,
        write_key: str,
        host: str = config.DEFAULT_HOST,
        *,
        on_error: OnError | None = None,
        on_qualified: OnQualified | None = None,
        transport: Transport | None = None,
        session: Sessions | None = None,
        proxies: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        new_id: Callable[[int], str] = message_id.new_id,
        jitter: Callable[[], float] | None = None,
        **options: Any,
    ) -> None:
        """Make a client; the thread that sends starts with the first call.

        Args:
            write_key: the key that may write to the collector. Without one, everything is
                dropped, and said to be, once.
            host: where the collector is.
            on_error: called with a `DroppedError` and the message, for each that is dropped.
                Called once with None for a message when the key turns out to be unknown.
            on_qualified: called with a `Mark` for each lead that an event brought about, in the
                thread that sends. The collector says so to keys that may read.
            transport: takes batches in place of HTTP.
            session: the `requests.Session` that posts, or a function that makes one, called in
                each process; with your certificates, adapters or hooks.
            proxies: proxies as `requests` takes them, before those of the environment.
            clock: tells the time and waits, in place of the system's.
            new_id: makes a message's id from its time in milliseconds since 1970.
            jitter: draws numbers from 0 to 1 that spread the tries.
            **options: the settings in `pequel.config.Options`.

        Raises:
            ConfigError: a setting is unknown, or it or another argument cannot have this value.
        """
        self.options = config.checked({"write_key": write_key, "host": host, **options})
        argument_checks.check(on_error=on_error, on_qualified=on_qualified, transport=transport)
        argument_checks.check(session=session, proxies=proxies, new_id=new_id, jitter=jitter)
        self._clock = clock or Clock()
        self._transport = transport or HttpTransport(self.options, self._clock, session, proxies)
        self._reporter = Callbacks(on_error, on_qualified)
        self._new_id = new_id
        self._jitter = jitter
        self._spool = _spool(self.options)
        self._workers: dict[int, Worker] = {}
        self._retired = False
        weakref.finalize(self, _retire, self._workers).atexit = False

    def __enter__(self) -> Client:  # noqa: PYI034 - typing has no Self on Python 3.10
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def track(
        self,
        user_id: Id | None = None,
        event: str | None = None,
        properties: Data | None = None,
        context: Data | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id | None = None,
        integrations: Data | None = None,
        message_id: str | None = None,
    ) -> None:
        """Record that somebody did something.

        Args:
            user_id: who did it; or give `anonymous_id`, or both.
            event: what they did, such as "project_created".
            properties: what else there is to say about it.
            context: where it happened; `{"groupId": …}` names the account it falls to.
            timestamp: when it happened, if not now. A datetime without a zone is UTC. Text with
                an offset is converted to UTC; other text is passed on, for the collector to judge.
            anonymous_id: who did it, when that is not known yet.
            integrations: which destinations may have it.
            message_id: the id of this message, if it has one. The same id counts once.
        """
        fields = {
            "event": event,
            "properties": properties,
            "userId": user_id,
            "anonymousId": anonymous_id,
            "context": context,
            "integrations": integrations,
            "timestamp": timestamp,
            "messageId": message_id,
        }
        self._send("track", fields)

    def identify(
        self,
        user_id: Id | None = None,
        traits: Data | None = None,
        context: Data | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id | None = None,
        integrations: Data | None = None,
        message_id: str | None = None,
    ) -> None:
        """Record what is known of a user; a trait of None is unset. Arguments as for `track`."""
        fields = {
            "traits": traits,
            "userId": user_id,
            "anonymousId": anonymous_id,
            "context": context,
            "integrations": integrations,
            "timestamp": timestamp,
            "messageId": message_id,
        }
        self._send("identify", fields)

    def group(
        self,
        user_id: Id | None = None,
        group_id: Id | None = None,
        traits: Data | None = None,
        context: Data | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id | None = None,
        integrations: Data | None = None,
        message_id: str | None = None,
    ) -> None:
        """Record that a user belongs to an account, and what is known of the account."""
        fields = {
            "groupId": group_id,
            "traits": traits,
            "userId": user_id,
            "anonymousId": anonymous_id,
            "context": context,
            "integrations": integrations,
            "timestamp": timestamp,
            "messageId": message_id,
        }
        self._send("group", fields)

    def page(
        self,
        user_id: Id | None = None,
        category: str | None = None,
        name: str | None = None,
        properties: Data | None = None,
        context: Data | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id | None = None,
        integrations: Data | None = None,
        message_id: str | None = None,
    ) -> None:
        """Record that somebody saw a page. Arguments as for `track`."""
        fields = {
            "category": category,
            "name": name,
            "properties": properties,
            "userId": user_id,
            "anonymousId": anonymous_id,
            "context": context,
            "integrations": integrations,
            "timestamp": timestamp,
            "messageId": message_id,
        }
        self._send("page", fields)

    def screen(
        self,
        user_id: Id | None = None,
        category: str | None = None,
        name: str | None = None,
        properties: Data | None = None,
        context: Data | None = None,
        timestamp: Timestamp | None = None,
        anonymous_id: Id | None = None,
        integrations: Data | None = None,
        message_id: str | None = None,
    ) -> None:
        """Record that somebody saw a screen of an app. Arguments as for `track`."""
        fields = {
            "category": category,
            "name": name,
            "properties": properties,
            "userId": user_id,
            "anonymousId": anonymous_id,
            "context": context,
            "integrations": integrations,
            "timestamp": timestamp,
            "messageId": message_id,
        }
        self._send("screen", fields)

    def alias(
        self,
        previous_id: Id | None = None,
        user_id: Id | None = None,
        context: Data | None = None,
        timestamp: Timestamp | None = None,
        integrations: Data | None = None,
        message_id: str | None = None,
    ) -> None:
        """Record that the one known by an earlier id is this user."""
        fields = {
            "previousId": previous_id,
            "userId": user_id,
            "context": context,
            "integrations": integrations,
            "timestamp": timestamp,
            "messageId": message_id,
        }
        self._send("alias", fields)

    def tracked(
        self, event: str, *, properties: Properties = None, user_id: Who = None
    ) -> Decorator:
        """Track an event whenever a function has done its work: a decorator.

            @client.tracked("report_exported", properties=lambda report, *_: {"rows": report.rows})
            def export(report_id): ...

        It is tracked when the function returns, a coroutine function is done, or a generator is
        exhausted; not when it raises, nor when a generator is left before its end.

        Args:
            event: what is tracked.
            properties: what else there is to say, or a function that says it, of the result and
                the arguments. Where that fails, the event is tracked without.
            user_id: who did it: the name of an argument, or a function of the result and the
                arguments; else whom the scope names, see `pequel.context`. Where that fails,
                nothing is tracked.

        Raises:
            TypeError: the decorated function has no argument of that name.
        """
        return Tracked(self.track, event, properties, user_id)

    def flush(self, timeout: float | None = DEFAULT_TIMEOUT) -> bool:
        """Send all that waits now, and wait for it.

        Args:
            timeout: seconds to wait at most; None waits for as long as it takes.

        Returns:
            Whether everything that waited was delivered: False also if any of it was dropped.
        """
        return self._worker().flush(timeout)

    def shutdown(self, timeout: float | None = DEFAULT_TIMEOUT) -> bool:
        """Flush, then stop for good; what is left then, or comes later, is dropped.

        Args:
            timeout: seconds to wait at most; None waits for as long as it takes.

        Returns:
            Whether everything that waited was delivered.
        """
        return self._worker().shutdown(timeout)

    def retire(self) -> None:
        """Stop for good, too, but wait for nothing: what is there is sent, what comes is dropped.

        With `sync`, what is there has as long as a call has.
        """
        self._retired = True
        for worker in list(self._workers.values()):
            worker.wind_up()

    def stats(self) -> Stats:
        """What became of the events of this process so far."""
        return self._worker().outbox.stats()

    def _send(self, kind: str, fields: Mapping[str, object]) -> None:
        try:
            worker = self._worker()  # before the id is made, which depends on the process
            fields = filled_in(kind, fields)
            message = compose(kind, fields, self._clock.now_ms(), self._new_id)
            event = encode(message)
        except InvalidMessageError as error:
            self._drop(_given(kind, fields), "invalid", error.detail, error.field)
        except Exception as error:  # noqa: BLE001 - a call must not fail, whatever it was given
            self._reporter.pass_on(error)
            self._drop({"type": kind}, "invalid", f"{type(error).__name__}: {error}")
        else:
            self._queue(worker, message, event)

    def _queue(self, worker: Worker, message: dict[str, object], event: bytes) -> None:
        limit = self.options.max_event_bytes
        if len(event) > limit:
            detail = f"{len(event)} bytes, where {limit} are allowed"
            return self._drop(message, "too_large", detail)
        try:
            return self._put(worker, event)
        except Exception as error:  # noqa: BLE001 - as above
            self._reporter.pass_on(error)
            return logger.exception("queueing failed")

    def _put(self, worker: Worker, event: bytes) -> None:
        for refused, reason in worker.outbox.put(event):
            self._reporter.dropped(DroppedError(reason, self._refusal(reason)), refused)
        worker.start()

    def _refusal(self, reason: Reason) -> str:
        if reason == "queue_full":
            return "the queue is full"
        if reason == "shutdown":
            return "the client was shut down"
        return "the write key is unknown" if self.options.write_key else "there is no write key"

    def _drop(
        self, message: dict[str, object], reason: Reason, detail: str, field: str | None = None
    ) -> None:
        try:
            worker = self._worker()
            worker.outbox.refuse(reason)
            self._reporter.dropped(DroppedError(reason, detail, field=field), encode(message))
            worker.start()  # the collector is told, too
        except Exception as error:  # noqa: BLE001 - what is wrong may well go wrong here again
            self._reporter.pass_on(error)

    def _worker(self) -> Worker:
        """This process's worker. A forked child begins with a new one; the parent keeps its own."""
        pid = os.getpid()
        worker = self._workers.get(pid)
        if worker is None:
            worker = self._workers.setdefault(pid, self._new_worker())
            for other in self._workers.keys() - {pid}:
                worker.succeed(self._workers.pop(other, None))
        return worker

    def _new_outbox(self, ring: Callable[[], None]) -> EventQueue:
        if self._spool is None:
            return EventQueue(self.options, ring)
        return self._spool(self.options, ring, self._clock, self._reporter)

    def _new_worker(self) -> Worker:
        message_id.new_id.follow_fork()
        bell = WakeEvent()
        outbox = self._new_outbox(bell.ring)
        if not self.options.write_key:
            outbox.closed = "unauthorized"
        elif self._retired:
            outbox.closed = "shutdown"
        name = message_id.new_id(self._clock.now_ms())
        reports = ClientReports(name, lambda: outbox.stats().dropped_by_reason)
        sender = Sender(
            outbox,
            self._transport,
            self.options,
            self._reporter,
            self._clock,
            self._jitter,
            reports,
        )
        tools = (outbox, sender, bell, self._clock, self.options.exit_timeout)
        if self.options.sync:
            return SyncWorker(*tools, timeout=self.options.timeout)
        return Worker(*tools)


def _spool(options: Options) -> type[Spool] | None:
    """The queue on disk, if it is wanted; without a key there is nothing to keep."""
    if not (options.spool and options.write_key):
        return None
    from pequel.spool.spool import Spool  # here, so that only those who want it pay for it

    return Spool


def _given(kind: str, fields: Mapping[str, object]) -> dict[str, object]:
    """What there is of a message that could not be made."""
    return {"type": kind, **{field: v for field, v in fields.items() if v is not None}}


def _retire(workers: dict[int, Worker]) -> None:
    """Let the thread of a client end that was thrown away without a shutdown."""
    for worker in list(workers.values()):
        worker.retire()
