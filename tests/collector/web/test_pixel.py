"""The image that is an event."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.errors import Unavailable

from .conftest import raising, stored

URL = "/pixel/v1/track?writeKey=write&userId=u1&event=opened"


def test_is_an_image_that_no_cache_keeps(client: FlaskClient) -> None:
    answer = client.get(URL)
    assert answer.data.startswith(b"GIF89a")
    assert answer.data.endswith(b";")
    assert answer.headers["Cache-Control"] == "no-store"


def test_stores_its_event(client: FlaskClient, collector: Any) -> None:
    client.get(URL)
    (message,) = stored(collector)
    assert (message.type, message.name, message.user_id) == ("track", "opened", "u1")


def test_a_head_request_stores_nothing(client: FlaskClient, collector: Any) -> None:
    assert client.head(URL).status_code == 200
    assert not stored(collector)


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), RuntimeError("broken")])
def test_is_shown_after_an_error_which_is_logged(
    client: FlaskClient,
    collector: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(collector.intake, "accept", raising(error))
    answer = client.get(URL)
    assert (answer.status_code, answer.mimetype) == (200, "image/gif")
    assert "lost the event of a pixel" in caplog.text
