"""The image that is an event."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.errors import Unavailable

URL = "/pixel/v1/track?writeKey=write&userId=u1&event=opened"


def test_is_an_image_that_no_cache_keeps(client: FlaskClient) -> None:
    answer = client.get(URL)
    assert answer.data.startswith(b"GIF89a")
    assert answer.data.endswith(b";")
    assert answer.headers["Cache-Control"] == "no-store"


def test_stores_its_event(client: FlaskClient, collector: Any) -> None:
    client.get(URL)
    (message,) = collector.intake.stored.values()
    assert (message.type, message.name, message.user_id) == ("track", "opened", "u1")


def test_is_not_seen_by_who_only_looks_whether_it_is_there(
    client: FlaskClient, collector: Any
) -> None:
    assert client.head(URL).status_code == 200
    assert not collector.intake.stored


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), RuntimeError("broken")])
def test_is_shown_whatever_happens_and_the_log_is_told(
    client: FlaskClient, collector: Any, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    collector.intake.error = error
    answer = client.get(URL)
    assert (answer.status_code, answer.mimetype) == (200, "image/gif")
    assert "event is lost" in caplog.text
