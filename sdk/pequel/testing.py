"""For the tests of applications: check what was tracked, in one line.

    import pequel.testing


    def test_exporting_is_tracked():
        with pequel.testing.capture() as events:
            export_report()
        events.assert_tracked("report_exported", user_id="u1", rows=10)

With pytest, the fixture `pequel_events` does this for a whole test.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from pequel import config, default_client
from pequel.client import Client
from pequel.messages.compose import InvalidMessageError, identifier
from pequel.messages.encode import encode
from pequel.sending.transport import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pequel.errors import DroppedError
    from pequel.messages.compose import Data, Id
    from pequel.sending.callbacks import OnError

_IDS_OF: dict[str, Callable[[dict[str, Any]], Any]] = {
    "user_id": lambda event: event.get("userId"),
    "anonymous_id": lambda event: event.get("anonymousId"),
    "group_id": lambda event: event.get("context", {}).get("groupId") or event.get("groupId"),
}


class Events(Sequence[dict[str, Any]]):
    """The recorded messages, in order, as they would be sent.

    Attributes:
        dropped: an error for each message that was dropped.
    """

    def __init__(self) -> None:
        self.dropped: list[DroppedError] = []
        self._events: list[dict[str, Any]] = []

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        words = (f"{one['type']} {_name(one)}".rstrip() for one in self)
        return f"<{len(self)} events: {', '.join(words)}>"

    @property
    def last(self) -> dict[str, Any]:
        """The latest message.

        Raises:
            AssertionError: nothing was recorded.
        """
        if not self._events:
            raise AssertionError("nothing was recorded" + self._dropped_lines())
        return self._events[-1]

    def tracked(self, event: str) -> list[dict[str, Any]]:
        """The messages of the type track with this event."""
        return [one for one in self.of_type("track") if one["event"] == event]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type, such as identify."""
        return [one for one in self._events if one["type"] == kind]

    def assert_tracked(
        self,
        event: str,
        /,
        *,
        user_id: Id | None = None,
        anonymous_id: Id | None = None,
        group_id: Id | None = None,
        properties: Data | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Assert that an event was tracked, with at least these ids and properties.

        Values are compared as they are sent: a date equals its text, and the id 5 equals "5".

        Args:
            event: the name of the event.
            user_id: its user id.
            anonymous_id: its anonymous id.
            group_id: the account that it names.
            properties: some of its properties, for names that are not Python identifiers.
            **more: further properties.

        Returns:
            The latest message that matches.

        Raises:
            AssertionError: no message matches; the text lists what was recorded.
        """
        __tracebackhide__ = True  # pytest then shows the line of the test
        given = {"user_id": user_id, "anonymous_id": anonymous_id, "group_id": group_id}
        ids = {name: _id(id_) for name, id_ in given.items() if id_ is not None}
        wanted = {**(properties or {}), **more}
        found = [one for one in self.tracked(event) if _matches(one, ids, wanted)]
        if not found:
            raise AssertionError(self._failure_text(_summary(event, ids, wanted)))
        return found[-1]

    def clear(self) -> None:
        """Delete everything that was recorded."""
        self._events.clear()
        self.dropped.clear()

    def record(self, events: Sequence[bytes]) -> None:
        """Add messages; each is a JSON object in UTF-8."""
        self._events.extend(map(json.loads, events))

    def _failure_text(self, wanted: str) -> str:
        recorded = "".join(f"\n  {_line(one)}" for one in self._events)
        listed = f"; what was recorded:{recorded}" if recorded else "; nothing was recorded"
        return f"{wanted} was not tracked{listed}{self._dropped_lines()}"

    def _dropped_lines(self) -> str:
        return "".join(f"\n  dropped, {error}" for error in self.dropped)


class RecordingClient(Client):
    """A client that records messages. It has no thread, and opens no connection.

    Attributes:
        events: the recorded messages.
    """

    def __init__(
        self,
        write_key: str = "recording",
        host: str = config.DEFAULT_HOST,
        *,
        on_error: OnError | None = None,
        **options: Any,
    ) -> None:
        """Arguments as for `Client`; all are optional."""
        self.events = Events()
        self._on_error = on_error
        options = {**options, "sync": True}
        recorder = _RecordingTransport(self.events)
        super().__init__(write_key, host, on_error=self._record_drop, transport=recorder, **options)

    def __enter__(self) -> RecordingClient:  # noqa: PYI034 - typing has no Self on Python 3.10
        return self

    @property
    def last(self) -> dict[str, Any]:
        """The latest message, see `Events.last`."""
        return self.events.last

    def assert_tracked(self, event: str, /, **wanted: Any) -> dict[str, Any]:
        """Assert that an event was tracked, see `Events.assert_tracked`."""
        __tracebackhide__ = True
        return self.events.assert_tracked(event, **wanted)

    def _record_drop(self, error: DroppedError, message: dict[str, Any] | None) -> None:
        self.events.dropped.append(error)
        if self._on_error is not None:
            self._on_error(error, message)


class _RecordingTransport:
    """Records every batch as delivered."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def send(self, events: Sequence[bytes], /) -> Outcome:
        self._events.record(events)
        return Outcome(Verdict.DELIVERED)


@contextmanager
def capture() -> Iterator[Events]:
    """Record what is tracked with the functions of the package, in place of sending it.

    This holds in all threads, also after a call of `pequel.configure`: the client that it makes
    becomes the default at the end.
    """
    client = RecordingClient()
    with client, default_client.replaced_by(client):
        yield client.events


def _matches(event: dict[str, Any], ids: dict[str, str], properties: dict[str, Any]) -> bool:
    recorded = event.get("properties", {})
    return all(_IDS_OF[name](event) == id_ for name, id_ in ids.items()) and all(
        name in recorded and _equal(recorded[name], value) for name, value in properties.items()
    )


def _id(value: Id) -> str:
    """An id as it is sent; a value that cannot be an id by its text."""
    try:
        return identifier("id", value) or str(value)
    except InvalidMessageError:
        return str(value)


def _equal(recorded: object, wanted: object) -> bool:
    return bool(recorded == wanted) or recorded == json.loads(encode(wanted))


def _line(event: dict[str, Any]) -> str:
    ids = {name: read(event) for name, read in _IDS_OF.items()}
    ids = {name: id_ for name, id_ in ids.items() if id_ is not None}
    values = event.get("properties") or event.get("traits") or {}
    return f"{event['type']} {_summary(_name(event), ids, values)}".rstrip()


def _summary(name: str, ids: dict[str, Any], values: dict[str, Any]) -> str:
    words = (f"{name}={value!r}" for name, value in {**ids, **values}.items())
    return " ".join((name, *words)).strip()


def _name(event: dict[str, Any]) -> str:
    return str(event.get("event") or event.get("name") or event.get("groupId") or "")
