"""`on_qualified`: the application hears of a lead from the receipt of the event that made it."""

import pytest

import pequel
from pequel import Mark, Outcome, Rejection, Verdict
from pequel.messages.encode import encode
from pequel.sending.verdicts import read

ENTRY = {
    "lead_id": "l1",
    "definition": "set_up",
    "subject": {"kind": "user", "id": "u1"},
    "qualified_at": "2026-03-01T10:00:00.000Z",
    "later": "perhaps more",
}
MARK = Mark("l1", "set_up", "user", "u1", "2026-03-01T10:00:00.000Z", ENTRY)
MARKED = Outcome(Verdict.DELIVERED, qualified=(MARK, MARK._replace(lead_id="l2")))


def test_each_mark_of_a_receipt_is_told(collector):
    """With all that the collector said."""
    collector.answers.append((200, {}, {"success": True, "accepted": 1, "qualified": [ENTRY]}))
    marks = []
    with pequel.Client("key", collector.host, on_qualified=marks.append) as client:
        client.track("u1", "project_created")
    assert marks == [MARK]


@pytest.mark.parametrize(
    "qualified",
    [
        None,
        "l1",
        {"lead_id": "l1"},
        [None, 1, "l1", [], {}, {**ENTRY, "subject": "u1"}],
        [{"subject": {}}, {**ENTRY, "subject": {"kind": "user", "id": None}}],
    ],
)
def test_what_is_no_mark_is_passed_over(qualified):
    """The receipt is one all the same."""
    body = encode({"success": True, "accepted": 1, "qualified": qualified})
    outcome = read(200, body, 1)
    assert (outcome.verdict, outcome.qualified) == (Verdict.DELIVERED, ())


def test_a_key_that_is_told_of_no_leads_is_said_once(collector, caplog):
    """The receipts of a write key leave them out; those of a key with marks may have none."""
    collector.answers.append((200, {}, {"success": True, "accepted": 1, "qualified": []}))
    with pequel.Client("key", collector.host, on_qualified=print) as client:
        client.track("u1", "e")
        assert client.flush()
        assert caplog.text == ""
        for _ in range(2):
            client.track("u1", "e")
            assert client.flush()
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == "on_qualified is never called: that needs a write+marks key"


def test_who_does_not_ask_for_leads_is_told_nothing_of_keys(collector, caplog):
    with pequel.Client("key", collector.host) as client:
        client.track("u1", "e")
    assert caplog.text == ""


def test_a_callback_that_fails_harms_no_delivery(caplog):
    """It is called for each mark, and its failures are logged once."""
    told = []

    def on_qualified(mark):
        told.append(mark.lead_id)
        raise ValueError("a fault of the application")

    transport = pequel.RecordingTransport([MARKED, MARKED])
    client = pequel.Client("key", transport=transport, on_qualified=on_qualified)
    for _ in range(2):
        client.track("u1", "e")
        assert client.flush()
    client.shutdown()
    assert told == ["l1", "l2"] * 2
    assert client.stats().delivered == 2
    assert caplog.text.count("on_qualified failed") == 1


def test_a_callback_may_track_and_asks_in_vain_to_wait():
    """It runs in the thread that sends, which cannot wait for itself: `flush` says no at once."""
    answers = []

    def on_qualified(mark):
        client.track(mark.subject_id, "qualified")
        answers.append(client.flush(None))

    transport = pequel.RecordingTransport([MARKED._replace(qualified=(MARK,))])
    client = pequel.Client("key", transport=transport, on_qualified=on_qualified)
    client.track("u1", "e")
    assert client.flush()
    assert client.flush()
    client.shutdown()
    assert answers == [False]
    assert [event["event"] for event in transport.events] == ["e", "qualified"]


def test_the_default_client_tells_too(no_default):
    """`configure(on_qualified=f)`."""
    marks = []
    outcome = MARKED._replace(rejected=(Rejection(0, "no"),))
    transport = pequel.RecordingTransport([outcome])
    client = pequel.configure("key", transport=transport, on_qualified=marks.append)
    pequel.track("u1", "e")
    pequel.flush()
    client.shutdown()
    assert [mark.lead_id for mark in marks] == ["l1", "l2"]
