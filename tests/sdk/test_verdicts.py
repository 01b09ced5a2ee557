"""Only a receipt counts as delivery."""

import json

import pytest

from pequel.sending.transport import Rejection, Verdict
from pequel.sending.verdicts import read

RECEIPT = {"success": True, "accepted": 2, "duplicates": 0, "rejected": []}


def answer(status, body, count=2):
    return read(status, body if isinstance(body, bytes) else json.dumps(body).encode(), count)


def test_a_receipt_is_delivery():
    """Status 200, success, and a number accepted."""
    assert answer(200, RECEIPT).verdict is Verdict.DELIVERED


def test_a_whole_number_may_be_written_with_a_point():
    """As by somebody in between who knows only such."""
    outcome = answer(200, {**RECEIPT, "accepted": 1.0, "rejected": [{"index": 1.0}]})
    assert outcome == outcome._replace(verdict=Verdict.DELIVERED, rejected=(Rejection(1),))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please log in</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        [RECEIPT],
        {},
        {"success": True},
        {"success": "true", "accepted": 2},
        {"success": True, "accepted": True},
        {"success": True, "accepted": "2"},
        {"success": True, "accepted": 1.5},
        {"success": True, "accepted": float("inf")},
        {"success": False, "accepted": 2},
    ],
)
def test_what_is_no_receipt_is_tried_again(body):
    """Somebody else's page with status 200 loses no event."""
    assert answer(200, body).verdict is Verdict.RETRY


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((202, 204, 301, 302, 307, 308, 408, 429, 500, 502, 503, 504, 599), Verdict.RETRY),
        ((400, 402, 403, 404, 405, 410, 415, 422, 501, 505), Verdict.REFUSED),
        ((401,), Verdict.UNAUTHORIZED),
        ((413,), Verdict.SPLIT),
    ],
)
def test_every_other_status_of_a_collector_has_its_consequence(statuses, verdict):
    refusal = {"success": False, "code": "bad", "message": "why"}
    assert {answer(status, refusal).verdict for status in statuses} == {verdict}


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 501, 505])
@pytest.mark.parametrize("body", [b"", b"<html>Not found</html>", {}, {"error": "x"}, RECEIPT])
def test_an_error_of_another_server_loses_no_event(status, body):
    """Such as one that has the port that was meant for a collector."""
    outcome = answer(status, body)
    assert outcome.verdict is Verdict.RETRY
    told = f"status {status}, which is not the answer of a collector; check the host"
    assert outcome.detail == told


def test_rejected_events_are_read():
    """Each with what the collector says about it."""
    entries = [{"index": 1, "messageId": "m", "code": "c", "message": "why", "field": "event"}]
    outcome = answer(200, {**RECEIPT, "rejected": entries})
    assert outcome.rejected == (Rejection(1, "c", "why", "event"),)


def test_nonsense_among_the_rejected_is_passed_over():
    """No index may be counted twice, or lie outside the batch."""
    entries = [{"index": i} for i in (0, 0, 2, -1, True, "1", None)] + [None, "x", {}]
    outcome = answer(200, {**RECEIPT, "rejected": entries})
    assert outcome.rejected == (Rejection(0),)
    assert answer(200, {**RECEIPT, "rejected": "none"}).rejected == ()


def test_what_the_collector_says_about_an_error_is_kept():
    """The detail names the status and the message, cut short."""
    detail = answer(400, {"success": False, "message": "x" * 1_000}).detail
    assert detail == "status 400: " + "x" * 200
