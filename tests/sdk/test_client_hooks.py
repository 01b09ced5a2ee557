"""`before_send`, defaults for the whole process, the switch, waiting for room, account facts."""

import json
import threading

import pytest

import pequel
from pequel import Outcome, Verdict
from pequel.messages.library import LIBRARY_BYTES, with_library
from pequel.testing import RecordingClient


class TestBeforeSend:
    def test_may_change_the_event_but_not_the_callers_dict(self):
        def redact(event):
            event["properties"]["email"] = "-"
            return event

        given = {"email": "ada@example.com", "at": (1, 2)}
        with RecordingClient(before_send=redact) as client:
            client.track("u1", "e", given, context={"locale": "de"})
        assert client.last["properties"] == {"email": "-", "at": [1, 2]}
        assert client.last["context"] == {"locale": "de"}
        assert given == {"email": "ada@example.com", "at": (1, 2)}

    def test_drops_an_event_by_returning_none_which_is_counted_and_no_error(self, caplog):
        errors = []
        client = RecordingClient(before_send=lambda _: None, on_error=lambda *e: errors.append(e))
        client.track("u1", "e")
        stats = client.stats()
        assert (stats.accepted, stats.dropped_by_reason) == (1, {"before_send": 1})
        assert (len(client.events), errors, caplog.records) == (0, [], [])

    @pytest.mark.parametrize("kept", [lambda _: 1 / 0, lambda _: "event"])
    def test_that_fails_drops_the_event_and_is_logged_once(self, kept, caplog):
        client = RecordingClient(before_send=kept)
        client.track("u1", "e")
        client.track("u1", "e")
        assert client.stats().dropped_by_reason == {"before_send": 2}
        assert [record.getMessage() for record in caplog.records] == [
            "before_send failed, so the event is dropped"
        ]

    def test_passes_on_what_is_meant_for_the_caller(self):
        def interrupt(_event):
            raise KeyboardInterrupt

        client = RecordingClient(before_send=interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.track("u1", "e")

    def test_cannot_track_without_end(self):
        def track(event):
            client.track("u1", "again")
            return event

        client = RecordingClient(before_send=track)
        client.track("u1", "e")
        assert [event["event"] for event in client.events] == ["e"]
        assert client.stats().dropped_by_reason == {"before_send": 1}

    def test_decides_before_the_size_does(self):
        client = RecordingClient(before_send=lambda event: {**event, "properties": {}})
        client.track("u1", "e", {"text": "x" * 100_000})
        assert client.last["properties"] == {}

    def test_must_be_a_function(self):
        with pytest.raises(pequel.ConfigError, match="before_send must be a function"):
            pequel.Client("key", before_send=3)


class TestDefaults:
    def test_properties_are_those_of_every_event_below_the_calls_own(self):
        client = RecordingClient(properties={"service": "web", "region": "eu"})
        client.track("u1", "e", {"region": "us"})
        client.page("u1", name="pricing")
        client.identify("u1", {"plan": "free"})
        assert client.events[0]["properties"] == {"service": "web", "region": "us"}
        assert client.events[1]["properties"] == {"service": "web", "region": "eu"}
        assert "properties" not in client.events[2]

    def test_context_lies_below_that_of_the_scope_and_the_call(self):
        client = RecordingClient(context={"app": "shop", "locale": "en", "os": "x"})
        with pequel.context(locale="de", os="y"):
            client.identify("u1", {}, context={"os": "z"})
        assert client.last["context"] == {"app": "shop", "locale": "de", "os": "z"}

    @pytest.mark.parametrize("name", ["properties", "context"])
    def test_must_be_dicts(self, name):
        with pytest.raises(pequel.ConfigError, match=f"{name} must be a dict"):
            pequel.Client("key", **{name: "x"})

    def test_wrong_properties_of_a_call_are_dropped_as_without_defaults(self):
        client = RecordingClient(properties={"service": "web"})
        client.track("u1", "e", "text")
        assert client.stats().dropped_by_reason == {"invalid": 1}


def test_a_client_that_is_not_enabled_does_nothing(tmp_path, caplog):
    errors = []
    options = {"enabled": False, "spool": tmp_path / "spool"}
    client = pequel.Client("", on_error=lambda *e: errors.append(e), **options)
    client.track("u1", "e")
    client.identify(object())
    assert client.flush()
    assert client.shutdown()
    assert client.stats().accepted == 0
    assert (errors, caplog.records, list(tmp_path.iterdir())) == ([], [], [])


class Slow(pequel.RecordingTransport):
    """Delivers once it is let to."""

    def __init__(self):
        super().__init__()
        self.free = threading.Event()

    def send(self, events, /):
        self.free.wait(10)
        return super().send(events)


class TestWaitingForRoom:
    def test_a_call_waits_until_there_is_room(self):
        transport = pequel.RecordingTransport()
        options = {"full": "wait", "max_queue_events": 10, "flush_interval": 60}
        with pequel.Client("key", transport=transport, **options) as client:
            for n in range(200):
                client.track("u1", "e", {"n": n})
        assert [event["properties"]["n"] for event in transport.events] == list(range(200))

    def test_threads_that_wait_together_lose_nothing(self):
        transport = pequel.RecordingTransport()
        with pequel.Client("key", transport=transport, full="wait", max_queue_events=5) as client:

            def track():
                for _ in range(50):
                    client.track("u1", "e")

            threads = [threading.Thread(target=track) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(transport.events) == 200

    def test_a_call_waits_no_longer_than_the_timeout(self):
        transport = Slow()
        options = {"full": "wait", "max_queue_events": 2, "timeout": 0.05, "flush_interval": 0}
        with pequel.Client("key", transport=transport, **options) as client:
            for _ in range(3):
                client.track("u1", "e")
            assert client.stats().dropped_by_reason == {"queue_full": 1}
            transport.free.set()
        assert len(transport.events) == 2

    def test_a_callback_in_the_sending_thread_does_not_wait_for_itself(self):
        mark = pequel.Mark("l", "d", "user", "u1", "t", {})
        transport = pequel.RecordingTransport([Outcome(Verdict.DELIVERED, qualified=(mark,))])
        options = {"full": "wait", "max_queue_events": 1, "timeout": 60.0}

        def again(_mark):
            client.track("u1", "again")
            client.track("u1", "again")

        client = pequel.Client("key", transport=transport, on_qualified=again, **options)
        client.track("u1", "e")
        assert client.shutdown(10) is True
        assert client.stats().dropped >= 1

    def test_other_values_are_refused(self):
        with pytest.raises(pequel.ConfigError, match="full must be 'drop' or 'wait'"):
            pequel.Client("key", full="block")


class TestFactsOfAnAccount:
    def test_an_event_may_have_an_account_alone(self):
        client = RecordingClient()
        client.track(event="seats_synced", group_id="acme", properties={"seats": 3})
        assert client.last["groupId"] == "acme"
        assert not {"userId", "anonymousId", "context"} & client.last.keys()
        client.assert_tracked("seats_synced", group_id="acme", seats=3)

    def test_traits_of_an_account_need_no_user(self):
        client = RecordingClient()
        client.group(group_id="acme", traits={"employees": 120})
        assert client.last["groupId"] == "acme"
        assert "userId" not in client.last

    def test_the_account_of_a_scope_alone_makes_no_event_of_the_account(self):
        """Else an event whose user was forgotten would be one of the account."""
        client = RecordingClient()
        with pequel.context(group_id="acme"):
            client.track(event="e")
        assert client.stats().dropped_by_reason == {"invalid": 1}

    def test_the_account_of_a_call_wins_over_that_of_the_scope(self):
        client = RecordingClient()
        with pequel.context(user_id="u1", group_id="acme"):
            client.track(event="e", group_id="globex")
        assert (client.last["userId"], client.last["groupId"]) == ("u1", "globex")
        assert "context" not in client.last


class TestTimeOfAScope:
    def test_calls_without_a_time_have_it(self):
        client = RecordingClient()
        with pequel.context(timestamp="2020-01-01T00:00:00.000Z", locale="de"):
            client.track("u1", "e")
            client.identify("u1", {}, timestamp="2021-01-01T00:00:00.000Z")
            assert pequel.current_context()["timestamp"] == "2020-01-01T00:00:00.000Z"
        assert [event["timestamp"][:4] for event in client.events] == ["2020", "2021"]
        assert client.events[0]["context"] == {"locale": "de"}
        assert "originalTimestamp" in client.events[0]

    def test_a_wrong_time_drops_the_event(self):
        client = RecordingClient()
        with pequel.context(timestamp=5):
            client.track("u1", "e")
        assert client.stats().dropped_by_reason == {"invalid": 1}


class TestVisitors:
    """The visitor of a scope joins the user that a call names, if they are the same person."""

    @pytest.mark.parametrize(
        ("scope", "kind", "joined"),
        [
            ({}, "identify", True),
            ({}, "track", False),
            ({"user_id": "u1"}, "track", True),
            ({"user_id": "u1"}, "identify", True),
            ({"user_id": 1}, "track", False),
            ({"user_id": "u2"}, "track", False),
            ({"user_id": "u2"}, "identify", False),
        ],
    )
    def test_a_visitor_is_joined_only_to_their_own_user(self, scope, kind, joined):
        client = RecordingClient()
        event = {"event": "e"} if kind == "track" else {}
        with pequel.context(anonymous_id="v1", **scope):
            getattr(client, kind)("u1", **event)
        assert client.last["userId"] == "u1"
        assert client.last.get("anonymousId") == ("v1" if joined else None)


LIBRARY = {"name": "pequel", "version": pequel.__version__}


class TestLibrary:
    @pytest.mark.parametrize(
        ("context", "expected"),
        [
            (None, {}),
            ({}, {}),
            ({"locale": "de", "page": {"path": "/"}}, {"locale": "de", "page": {"path": "/"}}),
        ],
    )
    def test_every_message_names_it(self, collector, context, expected):
        with pequel.Client("key", collector.host) as client:
            client.track("u1", "e", {"context": {"x": 1}}, context=context)
            client.identify("u1", {"plan": "free"}, context=context)
            client.group("u1", "acme", context=context)
            client.page("u1", context=context)
            client.alias("v1", "u1", context=context)
        contexts = [event["context"] for event in collector.events]
        assert contexts == [{**expected, "library": LIBRARY}] * 5
        assert collector.events[0]["properties"] == {"context": {"x": 1}}

    def test_that_a_call_names_itself_stays(self, collector):
        own = {"locale": "de", "library": {"name": "mine"}}
        with pequel.Client("key", collector.host) as client:
            client.track("u1", "e", context=own)
        assert collector.events[0]["context"] == own

    @pytest.mark.parametrize("key", [b'{"type":"track"}', b'{"context":{"a":1},"type":"track"}'])
    def test_it_adds_no_more_bytes_than_the_limit_of_an_event_allows_for(self, key):
        sent = with_library(key)
        assert json.loads(sent)["context"]["library"] == LIBRARY
        assert len(sent) - len(key) <= LIBRARY_BYTES < 64

    def test_the_largest_event_is_no_larger_on_the_wire_than_allowed(self, collector):
        with pequel.Client("key", collector.host, max_event_bytes=1_000) as client:
            for length in range(650, 950):
                client.track("u1", "e", {"t": "x" * length})
        sizes = [len(json.dumps(event, separators=(",", ":"))) for event in collector.events]
        assert max(sizes) == 1_000
