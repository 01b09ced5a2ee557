"""For the tests of applications: what was tracked, in one line.

    import pequel.testing


    def test_exporting_is_tracked():
        with pequel.testing.capture() as events:
            export_report()
        events.assert_tracked("report_exported", user_id="u1", rows=10)

With pytest, the fixture `pequel_events` does the same for a whole test.
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

_PLACES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "user_id": lambda event: event.get("userId"),
    "anonymous_id": lambda event: event.get("anonymousId"),
    "group_id": lambda event: event.get("context", {}).get("groupId"),
}


class Events(Sequence[dict[str, Any]]):
    """The messages that were recorded, in order, as they would go over the wire.

    Attributes:
        dropped: why each message was dropped that could not be recorded.
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
            AssertionError: there is none.
        """
        if not self._events:
            raise AssertionError("nothing was recorded" + self._losses())
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

        Values are compared as they are on the wire: a date with its text, 5 as an id with "5".

        Args:
            event: its name.
            user_id: who did it.
            anonymous_id: who did it, where that is not known.
            group_id: the account that is named on it.
            properties: some of its properties, those with names that are no words included.
            **more: others of its properties.

        Returns:
            The latest message of which this is true.

        Raises:
            AssertionError: there is none; the text says what there is instead.
        """
        __tracebackhide__ = True  # pytest then shows the line of the test
        given = {"user_id": user_id, "anonymous_id": anonymous_id, "group_id": group_id}
        ids = {name: _id(id_) for name, id_ in given.items() if id_ is not None}
        said = {**(properties or {}), **more}
        found = [one for one in self.tracked(event) if _matches(one, ids, said)]
        if not found:
            raise AssertionError(self._instead(_words(event, ids, said)))
        return found[-1]

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()
        self.dropped.clear()

    def record(self, events: Sequence[bytes]) -> None:
        """Add messages, each one a JSON object in UTF-8."""
        self._events.extend(map(json.loads, events))

    def _instead(self, wanted: str) -> str:
        there = "".join(f"\n  {_line(one)}" for one in self._events)
        instead = f"; what was recorded:{there}" if there else "; nothing was recorded"
        return f"{wanted} was not tracked{instead}{self._losses()}"

    def _losses(self) -> str:
        return "".join(f"\n  dropped, {error}" for error in self.dropped)


class RecordingClient(Client):
    """A client that keeps what it is given. It has no thread, and opens no connection.

    Attributes:
        events: what was recorded.
    """

    def __init__(
        self,
        write_key: str = "recording",
        host: str = config.DEFAULT_HOST,
        *,
        on_error: OnError | None = None,
        **options: Any,
    ) -> None:
        """Make one. Arguments as for `Client`; none is needed."""
        self.events = Events()
        self._told = on_error
        options = {**options, "sync": True}
        recorder = _Recorder(self.events)
        super().__init__(write_key, host, on_error=self._note, transport=recorder, **options)

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

    def _note(self, error: DroppedError, message: dict[str, Any] | None) -> None:
        self.events.dropped.append(error)
        if self._told is not None:
            self._told(error, message)


class _Recorder:
    """The transport of a recording client; it takes everything."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def send(self, events: Sequence[bytes], /) -> Outcome:
        self._events.record(events)
        return Outcome(Verdict.DELIVERED)


@contextmanager
def capture() -> Iterator[Events]:
    """Record what the functions of the package are given, in place of sending it.

    Holds for all threads, and for `pequel.configure`: a client that is configured meanwhile
    becomes the default at the end.
    """
    client = RecordingClient()
    with client, default_client.stand_in(client):
        yield client.events


def _matches(event: dict[str, Any], ids: dict[str, str], properties: dict[str, Any]) -> bool:
    said = event.get("properties", {})
    return all(_PLACES[name](event) == id_ for name, id_ in ids.items()) and all(
        name in said and _equal(said[name], value) for name, value in properties.items()
    )


def _id(value: Id) -> str:
    """An id as it is on the wire; what can be none there is compared by its text."""
    try:
        return identifier("id", value) or str(value)
    except InvalidMessageError:
        return str(value)


def _equal(recorded: object, wanted: object) -> bool:
    return bool(recorded == wanted) or recorded == json.loads(encode(wanted))


def _line(event: dict[str, Any]) -> str:
    ids = {name: read(event) for name, read in _PLACES.items()}
    ids = {name: id_ for name, id_ in ids.items() if id_ is not None}
    said = event.get("properties") or event.get("traits") or {}
    return f"{event['type']} {_words(_name(event), ids, said)}".rstrip()


def _words(name: str, ids: dict[str, Any], said: dict[str, Any]) -> str:
    words = (f"{name}={value!r}" for name, value in {**ids, **said}.items())
    return " ".join((name, *words)).strip()


def _name(event: dict[str, Any]) -> str:
    return str(event.get("event") or event.get("name") or event.get("groupId") or "")
