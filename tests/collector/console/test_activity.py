"""What somebody did with leads, newest first."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pequel_collector.queries import queries

from .conftest import text_of


def rows_of(page: str) -> list[str]:
    return [text_of(row) for row in re.findall(r"<tr><td.*?</tr>", page, re.DOTALL)]


def test_begins_empty(admin: Any, ada: str) -> None:
    admin.get("/activity")
    assert "Nothing yet Whatever you do with a lead stands here." in text_of(admin.page)


def test_shows_what_i_did_and_nothing_of_others(admin: Any, ada: str, clock: Any) -> None:
    admin.post("/leads", lead=ada, action="assign", owner="ben")
    clock.now += 86_400_000
    admin.post("/leads", lead=ada, action="dismiss", reason="too small")
    admin.get("/")
    assert 'href="/activity"' in admin.page
    admin.get("/activity")
    assert [row.split("Ada Byron ")[1] for row in rows_of(admin.page)] == [
        "Dismissed too small",
        "Assigned to ben",
    ]
    assert "2026-03-01 1 d ago" in rows_of(admin.page)[1]
    admin.get("/activity?actor=ben")
    assert "What ben did" in text_of(admin.page)
    assert not rows_of(admin.page)
    admin.get("/activity?actor=Mia")
    assert len(rows_of(admin.page)) == 2


def test_goes_on_page_by_page(admin: Any, ada: str) -> None:
    for number in range(60):
        admin.post("/leads", lead=ada, action="assign", owner=f"owner{number}")
    admin.get("/activity")
    first = rows_of(admin.page)
    assert len(first) == 50
    [following] = re.findall(r'href="(/activity\?[^"]*cursor=[^"]*)" rel="next"', admin.page)
    admin.get(following.replace("&amp;", "&"))
    second = rows_of(admin.page)
    assert len(second) == 10
    assert not set(first) & set(second)
    assert 'rel="next"' not in admin.page


def test_says_how_far_it_looked_back(admin: Any, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_LOOKED_BACK", 2)
    admin.post("/leads", lead=ada, action="assign", owner="ben")
    admin.client.delete_cookie("pequel_session")
    admin.log_in("admin", "Zoe")
    for owner in ("cem", "dan"):
        admin.post("/leads", lead=ada, action="assign", owner=owner)
    admin.get("/activity?actor=Mia")
    assert "There are earlier ones." in text_of(admin.page)
    [following] = re.findall(r'href="(/activity\?[^"]*cursor=[^"]*)" rel="next"', admin.page)
    admin.get(following.replace("&amp;", "&"))
    assert "Assigned to ben" in rows_of(admin.page)[0]


def test_a_cursor_of_another_list_is_refused(admin: Any, ada: str) -> None:
    assert admin.get("/activity?cursor=x").status_code == 400
    assert admin.get("/activity?who=me").status_code == 400


def test_is_not_for_partners(stranger: Any, collector: Any) -> None:
    token = collector.keys.create("partner", "north", partner="north").token
    stranger.log_in(token)
    assert stranger.get("/activity").status_code == 403
    stranger.get("/")
    assert 'href="/activity"' not in stranger.page
