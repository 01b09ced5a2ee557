"""The client: calls become messages, messages become bytes, and bytes wait to be sent."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

from pequel import argument_checks, config
from pequel.clock import Clock, WakeEvent
from pequel.decorator import Tracked
from pequel.errors import DroppedError
from pequel.log import logger
from pequel.messages import message_id as message_ids
from pequel.messages.compose import InvalidMessageError, compose, mapping
from pequel.messages.encode import encode
from pequel.messages.library import LIBRARY_BYTES
from pequel.scope import filled_in, in_scope
from pequel.sending.callbacks import Callbacks
from pequel.sending.client_report import ClientReports
from pequel.sending.http_transport import HttpTransport
from pequel.sending.queue import EventQueue, Stats
from pequel.sending.sender import Sender
from pequel.sending.sync_worker import SyncWorker
from pequel.sending.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pequel.config import Options
    from pequel.decorator import Decorator, Properties, UserId
    from pequel.errors import Reason
    from pequel.messages.compose import Data, Id, Timestamp
    from pequel.sending.callbacks import BeforeSend, OnError, OnQualified
    from pequel.sending.http_transport import Sessions
    from pequel.sending.transport import Transport
    from pequel.spool.spool import Spool

DEFAULT_TIMEOUT = 10.0

# The fields of each type of message, in the order in which its call passes their values.
_COMMON = ("userId", "anonymousId", "context", "integrations", "timestamp", "messageId")
_TRACK = ("event", "groupId", "properties", *_COMMON)
_IDENTIFY = ("traits", *_COMMON)
_GROUP = ("groupId", "traits", *_COMMON)
_PAGE = ("category", "name", "groupId", "properties", *_COMMON)
_ALIAS = ("previousId", "userId", "context", "integrations", "timestamp", "messageId")
_WITH_PROPERTIES = frozenset(("track", "page", "screen"))


class Client:
    """Sends events to a collector, in the background.

    Calls return at once, and no argument makes them raise. Only what a signal handler raises
    meanwhile, such as a time limit, reaches the caller. A message is encoded in the call, so later
    changes to its values have no effect. Events that cannot be sent are counted, see `stats`, and
    passed to `on_error`.

    Used as a context manager, the client is shut down at the end.
    """

    def __init__(
        self,
        write_key: str,
        host: str = config.DEFAULT_HOST,
        *,
        on_error: OnError | None = None,
        on_qualified: OnQualified | None = None,
        before_send: BeforeSend | None = None,
        properties: Data | None = None,
        context: Data | None = None,
        transport: Transport | None = None,
        session: Sessions | None = None,
        proxies: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        new_id: Callable[[int], str] = message_ids.new_id,
        jitter: Callable[[], float] | None = None,
        **options: Any,
    ) -> None:
        """Make a client; the first call starts the thread that sends.

        Args:
            write_key: a key that may write to the collector. If it is empty, every event is
                dropped, and that is logged once.
            host: address of the collector.
            on_error: called with a `DroppedError` and the message for each dropped event.
                Called once, with None for the message, if the key turns out to be unknown.
            on_qualified: called with a `Mark` for each lead that an event brought about, in the
                thread that sends. Needs an admin key.
            before_send: called with each event as a dict, before it is queued. Returns the event
                to send, or None to drop it.
            properties: properties of every `track`, `page` and `screen` of this client; those of
                the call win.
            context: members of the context of every event; those of a scope or the call win.
            transport: takes batches in place of HTTP.
            session: the `requests.Session` that posts, or a function that returns one; the
                function is called in each process.
            proxies: proxies as `requests` takes them; they win over those of the environment.
            clock: replaces the system's clock.
            new_id: makes a message id from the time in milliseconds since 1970.
            jitter: returns random numbers from 0 to 1, which spread the retries.
            **options: the settings in `pequel.config.Options`.

        Raises:
            ConfigError: a setting is unknown, or a setting or an argument has a wrong value.
        """
        self.options = config.checked({"write_key": write_key, "host": host, **options})
        argument_checks.check(on_error=on_error, on_qualified=on_qualified, transport=transport)
        argument_checks.check(session=session, proxies=proxies, new_id=new_id, jitter=jitter)
        argument_checks.check(before_send=before_send, properties=properties, context=context)
        self._clock = clock or Clock()
        self._transport = transport or HttpTransport(self.options, self._clock, session, proxies)
        self._callbacks = Callbacks(on_error, on_qualified, before_send)
        self._properties = dict(properties or {})
        self._context = dict(context or {})
        self._has_defaults = bool(properties or context)
        self._longest = self.options.max_event_bytes - LIBRARY_BYTES
        self._new_id = new_id
        self._jitter = jitter
        self._workers: dict[int, Worker] = {}
        self._retired = False
        self._spool = _spool_class(self.options)
        weakref.finalize(self, _stop, self._workers).atexit = False

    def __enter__(self) -> Client:  # noqa: PYI034 - typing has no Self on Python 3.10
        return self

    def __exit__(self, *exception: object) -> None:
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
        group_id: Id | None = None,
    ) -> None:
        """Record an action of a user.

        Args:
            user_id: the user; give this, `anonymous_id`, both, or `group_id` alone.
            event: the name of the action, such as "project_created".
            properties: further data about it.
            context: the circumstances; `{"groupId": …}` names the account of the event.
            timestamp: when it happened, if not now. A datetime without a zone is UTC. Text with
                an offset is converted to UTC; the collector checks other text.
            anonymous_id: the visitor, if the user is not known.
            integrations: which destinations may have it.
            message_id: the id of this message, if it has one. The same id counts once.
            group_id: the account of the event. With it alone, the event is one of the account, and
                needs no user.
        """
        values = (
            event,
            group_id,
            properties,
            user_id,
            anonymous_id,
            context,
            integrations,
            timestamp,
            message_id,
        )
        self._send("track", _TRACK, values)

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
        """Record traits of a user; a trait of None is unset. Arguments as for `track`."""
        values = (traits, user_id, anonymous_id, context, integrations, timestamp, message_id)
        self._send("identify", _IDENTIFY, values)

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
        """Record traits of an account and, with a user, that the user belongs to it."""
        values = (
            group_id,
            traits,
            user_id,
            anonymous_id,
            context,
            integrations,
            timestamp,
            message_id,
        )
        self._send("group", _GROUP, values)

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
        group_id: Id | None = None,
    ) -> None:
        """Record that a user saw a page. Arguments as for `track`."""
        values = (
            category,
            name,
            group_id,
            properties,
            user_id,
            anonymous_id,
            context,
            integrations,
            timestamp,
            message_id,
        )
        self._send("page", _PAGE, values)

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
        group_id: Id | None = None,
    ) -> None:
        """Record that a user saw a screen of an app. Arguments as for `track`."""
        values = (
            category,
            name,
            group_id,
            properties,
            user_id,
            anonymous_id,
            context,
            integrations,
            timestamp,
            message_id,
        )
        self._send("screen", _PAGE, values)

    def alias(
        self,
        previous_id: Id | None = None,
        user_id: Id | None = None,
        context: Data | None = None,
        timestamp: Timestamp | None = None,
        integrations: Data | None = None,
        message_id: str | None = None,
    ) -> None:
        """Record that a user was known by another id before."""
        values = (previous_id, user_id, context, integrations, timestamp, message_id)
        self._send("alias", _ALIAS, values)

    def tracked(
        self, event: str, *, properties: Properties = None, user_id: UserId = None
    ) -> Decorator:
        """Track an event for each call of a function that succeeds: a decorator.

            @client.tracked("report_exported", properties=lambda report, *_: {"rows": report.rows})
            def export(report_id): ...

        The event is tracked when the function returns, a coroutine function is done, or a generator
        is exhausted. It is not tracked if the function raises, or if a generator is left early.

        Args:
            event: the name of the event.
            properties: its properties, or a function that returns them, called with the result and
                the arguments. If that fails, the event is tracked without properties.
            user_id: the user: the name of an argument, or a function that is called like
                `properties`; without it, the user of the scope, see `pequel.context`. If the
                function fails, the event is not tracked.

        Raises:
            TypeError: the decorated function has no argument of that name.
        """
        return Tracked(self.track, event, properties, user_id)

    def flush(self, timeout: float | None = DEFAULT_TIMEOUT) -> bool:
        """Send everything that waits now, and wait for it.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether everything that waited was delivered: False also if any of it was dropped.
        """
        return self._worker().flush(timeout)

    def shutdown(self, timeout: float | None = DEFAULT_TIMEOUT) -> bool:
        """Flush, then stop for good; events that are left, or come later, are dropped.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether everything that waited was delivered.
        """
        return self._worker().shutdown(timeout)

    def retire(self) -> None:
        """Stop for good without waiting: what is queued is still sent, later events are dropped.

        With `sync`, sending what is queued may take as long as one call.
        """
        self._retired = True
        for worker in list(self._workers.values()):
            worker.retire()

    def stats(self) -> Stats:
        """What became of the events of this process so far."""
        return self._worker().queue.stats()

    def _send(self, kind: str, names: tuple[str, ...], values: tuple[object, ...]) -> None:
        if not self.options.enabled:
            return
        try:
            worker = self._worker()  # before the id is made, which depends on the process
            fields: Iterable[tuple[str, object]] = zip(names, values)  # noqa: B905 - strict is slow
            if self._has_defaults or in_scope():
                fields = self._filled_in(kind, dict(fields)).items()
            event = encode(compose(kind, fields, self._clock.now_ms(), self._new_id))
        except InvalidMessageError as error:
            self._drop(kind, names, values, error.detail, error.field)
        except Exception as error:  # noqa: BLE001 - no argument may make a call fail
            self._callbacks.raise_if_for_caller(error)
            self._drop(kind, (), (), f"{type(error).__name__}: {error}")
        else:
            self._queue(worker, event)

    def _filled_in(self, kind: str, fields: dict[str, object]) -> dict[str, object]:
        """The fields of a call, above those of the scope, above those of this client."""
        fields = filled_in(kind, fields)
        found = {"context": self._context} if self._context else {}
        if self._properties and kind in _WITH_PROPERTIES:
            found["properties"] = self._properties
        own = {name: fields.get(name) for name in found}
        merged = {n: {**found[n], **mapping(n, v)} for n, v in own.items() if v is not None}
        return {**fields, **found, **merged}

    def _queue(self, worker: Worker, event: bytes) -> None:
        try:
            if self._callbacks.before_send is not None:
                kept = self._callbacks.filtered(event)
                if kept is None:
                    worker.queue.count_drop("before_send")
                    return worker.start()  # to report the drop to the collector
                event = kept
            if len(event) > self._longest:
                size, limit = len(event) + LIBRARY_BYTES, self.options.max_event_bytes
                detail = f"the event has {size} bytes, and max_event_bytes is {limit}"
                return self._drop_event(event, DroppedError("too_large", detail))
            for dropped, reason in worker.put(event):
                self._callbacks.dropped(DroppedError(reason, self._detail(reason)), dropped)
            return worker.start()
        except Exception as error:  # noqa: BLE001 - a call must not fail
            self._callbacks.raise_if_for_caller(error)
            return logger.exception("queueing failed")

    def _detail(self, reason: Reason) -> str:
        if reason == "queue_full":
            return "the queue is full"
        if reason == "shutdown":
            return "the client was shut down"
        return "the write key is unknown" if self.options.write_key else "there is no write key"

    def _drop(
        self,
        kind: str,
        names: tuple[str, ...],
        values: tuple[object, ...],
        detail: str,
        field: str | None = None,
    ) -> None:
        """Drop a message that could not be made, with what is known of it."""
        pairs = zip(names, values, strict=True)
        message = {"type": kind, **{name: value for name, value in pairs if value is not None}}
        try:
            self._drop_event(encode(message), DroppedError("invalid", detail, field=field))
        except Exception as error:  # noqa: BLE001 - whatever failed may fail here again
            self._callbacks.raise_if_for_caller(error)

    def _drop_event(self, event: bytes, error: DroppedError) -> None:
        worker = self._worker()
        worker.queue.count_drop(error.reason)
        self._callbacks.dropped(error, event)
        worker.start()  # to report the drop to the collector

    def _worker(self) -> Worker:
        """The worker of this process. A forked child makes a new one; the parent keeps its own."""
        pid = os.getpid()
        worker = self._workers.get(pid)
        if worker is None:
            worker = self._workers.setdefault(pid, self._new_worker())
            for other in self._workers.keys() - {pid}:
                worker.take_over(self._workers.pop(other, None))
        return worker

    def _new_queue(self, wake_sender: Callable[[], None]) -> EventQueue:
        if self._spool is None:
            return EventQueue(self.options, wake_sender)
        return self._spool(self.options, wake_sender, self._clock, self._callbacks)

    def _new_worker(self) -> Worker:
        message_ids.new_id.reseed_after_fork()
        wake = WakeEvent()
        queue = self._new_queue(wake.set)
        if not self.options.write_key:
            queue.closed = "unauthorized"
        elif self._retired:
            queue.closed = "shutdown"
        reports = ClientReports(
            message_ids.new_id(self._clock.now_ms()), lambda: queue.stats().dropped_by_reason
        )
        sender = Sender(
            queue,
            self._transport,
            self.options,
            self._callbacks,
            self._clock,
            self._jitter,
            reports,
        )
        parts = (queue, sender, wake, self._clock, self.options)
        return (SyncWorker if self.options.sync else Worker)(*parts)


def _spool_class(options: Options) -> type[Spool] | None:
    """The queue on disk, if the settings ask for it; without a key, or if off, nothing is kept."""
    if not (options.spool and options.write_key and options.enabled):
        return None
    from pequel.spool.spool import Spool  # here, to keep the import of the package quick

    return Spool


def _stop(workers: dict[int, Worker]) -> None:
    """Let the threads of a client end that was thrown away without a shutdown."""
    for worker in list(workers.values()):
        worker.stop()
