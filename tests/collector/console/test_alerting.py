"""Alerts in the settings of the console: their state, their deliveries, a test, sending again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.ports import DeliveryFilter
from pequel_collector.rules.parser.catalogue import read_catalogue

from .conftest import DEFINITIONS, Clock, text_of

ALERT = """
[[alert]]
name = "crm"
on = ["qualified"]
url = "http://127.0.0.1:9/hook"
"""


@pytest.fixture
def collector(clock: Clock) -> Iterator[Collector]:
    settings = Settings(
        database="sqlite://", write_key="write-key", read_key="read-key", admin_key="admin-key"
    )
    catalogue = read_catalogue(DEFINITIONS + ALERT)
    with closing(open_collector(settings, catalogue, clock)) as collector:
        yield collector


def test_say_what_they_send_and_what_waits(admin: Any, ada: str) -> None:
    admin.get("/alerts")
    words = text_of(admin.page)
    assert "crm qualified webhook 1 delivery waits" in words
    assert f"/leads/{ada}" in admin.page
    admin.get("/alerts?state=sent")
    assert "Nothing was sent" in admin.page


def test_a_test_says_what_came_of_it(admin: Any, ada: str) -> None:
    admin.post("/alerts/test", alert="crm")
    assert "The test of crm:" in text_of(admin.page)
    assert admin.post("/alerts/test", alert="none").status_code == 404
    assert admin.post("/alerts/test").status_code == 400


def test_a_delivery_that_waits_is_not_sent_twice(
    admin: Any, ada: str, collector: Collector
) -> None:
    [delivery] = collector.alerts.deliveries(DeliveryFilter(), 9).data
    answer = admin.post("/alerts/redeliver", delivery=delivery.id)
    assert answer.status_code == 409
    assert admin.post("/alerts/redeliver", alert="crm").status_code == 200
    assert "Sending 0 deliveries again." in admin.page


def test_a_reader_looks_and_sends_nothing(stranger: Any, ada: str) -> None:
    stranger.log_in("read")
    stranger.get("/alerts")
    assert not re.search(r"<button[^>]*>Test", stranger.page)
    assert stranger.post("/alerts/test", alert="crm").status_code == 403
