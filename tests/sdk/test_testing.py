"""`pequel.testing`: an application asserts what was tracked, and nothing is sent."""

import decimal
import enum
import re
import socket
import threading
import uuid
from unittest.mock import ANY

import pytest

import pequel
from pequel import default_client
from pequel.testing import RecordingClient, capture


@pytest.fixture
def client():
    with RecordingClient() as client:
        yield client


class TestRecording:
    """A client that keeps what it is given."""

    def test_every_call_is_recorded_in_order(self, client):
        client.identify("u1", {"plan": "free"})
        client.group("u1", "acme")
        client.track("u1", "e")
        client.page("u1", name="Start")
        client.screen("u1", name="Home")
        client.alias("a1", "u1")
        kinds = [event["type"] for event in client.events]
        assert kinds == ["identify", "group", "track", "page", "screen", "alias"]
        assert client.last["previousId"] == "a1"

    def test_no_thread_and_no_connection_is_made(self, monkeypatch):
        monkeypatch.delattr(socket, "socket")
        before = threading.active_count()
        with RecordingClient() as client:
            client.track("u1", "e")
            assert threading.active_count() == before
            assert client.flush()
        assert client.shutdown()

    def test_what_was_recorded_is_delivered_in_the_books(self, client):
        client.track("u1", "e")
        client.track()
        stats = client.stats()
        assert (stats.accepted, stats.delivered, stats.dropped) == (2, 1, 1)

    def test_threads_lose_nothing(self, client):
        def act():
            for _ in range(200):
                client.track("u1", "e")

        threads = [threading.Thread(target=act) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(client.events) == client.stats().delivered == 800

    def test_on_error_is_told_as_ever(self):
        told = []
        with RecordingClient(on_error=lambda error, message: told.append(error)) as client:
            client.track("u1")
        assert told == client.events.dropped
        assert told[0].field == "event"

    def test_after_a_shutdown_nothing_is_recorded(self, client):
        client.shutdown()
        client.track("u1", "e")
        assert [error.reason for error in client.events.dropped] == ["shutdown"]


class TestAsking:
    def test_tracked_gives_the_events_of_a_name(self, client):
        client.track("u1", "a", {"n": 1})
        client.track("u1", "b")
        client.track("u1", "a", {"n": 2})
        assert [event["properties"]["n"] for event in client.events.tracked("a")] == [1, 2]

    def test_of_type_gives_the_messages_of_a_type(self, client):
        client.identify("u1", {"plan": "free"})
        client.track("u1", "e")
        assert [one["traits"] for one in client.events.of_type("identify")] == [{"plan": "free"}]

    def test_the_last_of_nothing_fails_the_test(self, client):
        client.track()
        with pytest.raises(AssertionError, match="nothing was recorded\n  dropped, invalid"):
            _ = client.last

    def test_the_events_are_a_sequence(self, client):
        client.track("u1", "a")
        client.page("u1", name="Start")
        assert [event["type"] for event in client.events[0:2]] == ["track", "page"]
        client.group("u1", "acme")
        client.identify("u1")
        told = "<4 events: track a, page Start, group acme, identify>"
        assert repr(client.events) == told

    def test_they_can_be_forgotten(self, client):
        client.track("u1", "a")
        client.track()
        client.events.clear()
        assert (len(client.events), client.events.dropped) == (0, [])


class Who(enum.Enum):
    ADA = "ada"


class TestAsserting:
    def test_what_was_tracked_is_given_back(self, client):
        client.track("u1", "e", {"n": 1})
        client.track("u1", "e", {"n": 2, "more": True})
        assert client.assert_tracked("e") == client.last
        assert client.assert_tracked("e", user_id="u1", n=1) == client.events[0]

    def test_ids_and_accounts_are_compared(self, client):
        client.track(5, "e", context={"groupId": "acme"})
        client.track(anonymous_id="a1", event="e")
        client.assert_tracked("e", user_id=5, group_id="acme")
        client.assert_tracked("e", anonymous_id="a1")
        for other in ({"user_id": 6}, {"anonymous_id": "a2"}, {"group_id": "other"}):
            with pytest.raises(AssertionError):
                client.assert_tracked("e", **other)

    @pytest.mark.parametrize("given", [5.0, b"u1", Who.ADA, uuid.UUID(int=1)])
    def test_an_id_is_compared_as_it_is_on_the_wire(self, client, given):
        client.track(given, "e")
        client.assert_tracked("e", user_id=given)

    def test_what_is_no_id_was_not_tracked(self, client):
        client.track("u1", "e")
        with pytest.raises(AssertionError, match="was not tracked"):
            client.assert_tracked("e", user_id=["u1"])

    @pytest.mark.parametrize(
        "value", [decimal.Decimal("1.50"), {"a", "b"}, float("nan"), b"text", (1, [2])]
    )
    def test_values_are_compared_as_they_are_on_the_wire(self, client, value):
        client.track("u1", "e", {"value": value})
        client.assert_tracked("e", value=value)

    def test_values_may_be_anything_that_is_equal(self, client):
        client.track("u1", "e", {"value": 0.1 + 0.2})
        client.assert_tracked("e", value=ANY)
        client.assert_tracked("e", value=pytest.approx(0.3))

    def test_a_property_of_any_name_can_be_asked_for(self, client):
        client.track("u1", "e", {"user_id": "u2", "a b": 1})
        client.assert_tracked("e", properties={"user_id": "u2", "a b": 1})

    def test_a_property_that_is_missing_is_not_one_of_none(self, client):
        client.track("u1", "e", {"there": None})
        client.assert_tracked("e", there=None)
        with pytest.raises(AssertionError):
            client.assert_tracked("e", missing=None)

    def test_a_failure_says_what_there_is_instead(self, client):
        client.identify("u2", {"plan": "free"})
        client.track("u2", "project_created", {"project_id": "p1"}, context={"groupId": "acme"})
        client.track("u2")
        with pytest.raises(AssertionError) as failure:
            client.assert_tracked("project_created", user_id="u1", project_id="p9")
        assert str(failure.value) == (
            "project_created user_id='u1' project_id='p9' was not tracked; what was recorded:\n"
            "  identify user_id='u2' plan='free'\n"
            "  track project_created user_id='u2' group_id='acme' project_id='p1'\n"
            "  dropped, invalid: track needs event"
        )

    def test_a_failure_with_nothing_says_so(self, client):
        with pytest.raises(AssertionError, match=re.escape("e was not tracked; nothing was")):
            client.assert_tracked("e")


@pytest.mark.usefixtures("no_default")
class TestCapturing:
    """The functions of the package record for a block."""

    def test_what_is_tracked_in_the_block_is_recorded(self):
        with capture() as events:
            pequel.track("u1", "e")
        assert [event["event"] for event in events] == ["e"]

    def test_in_other_threads_too(self):
        with capture() as events:
            thread = threading.Thread(target=pequel.track, args=("u1", "e"))
            thread.start()
            thread.join()
        events.assert_tracked("e", user_id="u1")

    def test_the_client_before_is_the_default_again(self, transport):
        client = pequel.configure("key", transport=transport)
        with capture():
            pequel.track("u1", "inside")
        pequel.track("u1", "outside")
        assert pequel.flush()
        assert [event["event"] for event in transport.events] == ["outside"]
        assert default_client.default_client() is client

    def test_where_there_was_none_there_is_none_again(self):
        with capture():
            pequel.track("u1", "e")
        assert default_client._clients == {}

    def test_code_that_configures_in_the_block_sends_nothing_in_it(self, transport):
        """Such as the factory of an application."""
        with capture() as events:
            client = pequel.configure("key", transport=transport)
            client.track("u1", "inside")
        pequel.track("u1", "outside")
        assert pequel.flush()
        assert [event["event"] for event in events] == ["inside"]
        assert [event["event"] for event in transport.events] == ["outside"]

    def test_wrong_settings_are_found_in_the_block_too(self):
        with capture(), pytest.raises(pequel.ConfigError):
            pequel.configure(timeout="soon")

    def test_blocks_nest(self, transport):
        with capture() as outer:
            with capture() as inner:
                pequel.configure("key", transport=transport)
                pequel.track("u1", "inner")
            pequel.track("u1", "outer")
        pequel.track("u1", "after")
        assert pequel.flush()
        recorded = [[event["event"] for event in one] for one in (inner, outer, transport.events)]
        assert recorded == [["inner"], ["outer"], ["after"]]

    def test_it_ends_when_the_block_raises(self):
        with pytest.raises(ZeroDivisionError), capture():
            raise ZeroDivisionError
        assert default_client._clients == {}


def test_captures_that_cross_leave_the_default_as_it_was(no_default):
    """As those of fixtures may, which end in another order than they began."""
    one, other = capture(), capture()
    before = default_client.default_client()
    one.__enter__()
    events = other.__enter__()
    one.__exit__(None, None, None)
    pequel.track("u1", "still_recorded")
    events.assert_tracked("still_recorded", user_id="u1")
    other.__exit__(None, None, None)
    assert default_client.default_client() is before
