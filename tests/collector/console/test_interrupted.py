"""A session that ends while somebody types: nothing is lost, and nothing is done without them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from pequel_collector.access.sessions import IDLE
from pequel_collector.app.bootstrap import Collector
from pequel_collector.web.console.frame import MAX_LOGIN
from pequel_collector.web.console.interrupted import MAX_KEPT

from .conftest import KEYS, text_of

NOTE = 'She "wants" SSO & <b>more</b>\nnext week'


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {unescape(name): unescape(value) for name, value in found}


def log_in(browser: Any, key: str = "admin", **fields: str) -> Any:
    """Log in on the page that the browser shows, with its hidden fields."""
    data = {"key": KEYS.get(key, key), "name": "Mia", **hidden(browser.page), **fields}
    answer = browser.client.post("/login", data=data)
    browser.page = answer.get_data(as_text=True)
    return answer


def send_late(browser: Any, path: str, **fields: Any) -> Any:
    """Send a form of a page that was loaded before the session ended."""
    browser.client.delete_cookie("pequel_session")
    answer = browser.client.post(path, data={"form_token": "old", **fields})
    browser.page = answer.get_data(as_text=True)
    return answer


def contact(ada: str) -> dict[str, str]:
    return {"lead": ada, "action": "contact", "channel": "call", "note": NOTE,
            "next": f"/leads/{ada}", "once": "abc"}  # fmt: skip


def state_of(collector: Collector, lead_id: str) -> str:
    with collector.store.reading() as tx:
        lead = tx.lead(lead_id)
    assert lead is not None
    return lead.state


def test_a_note_comes_back_after_the_login_and_is_not_saved_by_itself(
    admin: Any, ada: str, collector: Collector
) -> None:
    assert send_late(admin, "/leads", **contact(ada)).status_code == 401
    words = text_of(admin.page)
    assert "Your session has ended. Log in to go on." in words
    assert "it comes back after you log in" in words
    assert log_in(admin).status_code == 200
    assert "is not saved yet" in text_of(admin.page)
    assert "Ada Byron at Acme Inc" in text_of(admin.page)
    [typed] = re.findall(r"<textarea[^>]*>(.*?)</textarea>", admin.page, re.DOTALL)
    assert unescape(typed).strip() == NOTE
    assert "<option selected>call" in admin.page
    assert state_of(collector, ada) == "new"
    admin.post("/leads", **contact(ada))
    assert state_of(collector, ada) == "contacted"


def test_the_selection_in_a_list_comes_back(admin: Any, ada: str, collector: Collector) -> None:
    fields = {"lead": ada, "action": "dismiss", "reason": "Too small", "next": "/?sort=due_at"}
    send_late(admin, "/leads", **fields)
    log_in(admin)
    assert 'aria-label="Select Ada Byron" checked' in admin.page
    assert 'value="Too small"' in admin.page
    assert state_of(collector, ada) == "new"


def test_a_wrong_key_in_between_loses_nothing(admin: Any, ada: str) -> None:
    send_late(admin, "/leads", **contact(ada))
    assert log_in(admin, "wrong").status_code == 401
    log_in(admin)
    assert "SSO" in admin.page


def test_a_page_that_is_asked_for_says_that_the_session_has_ended(
    admin: Any, stranger: Any, clock: Any
) -> None:
    clock.now += IDLE + 1
    admin.get("/live")
    assert "Your session has ended. Log in to go on." in text_of(admin.page)
    admin.client.delete_cookie("pequel_session")
    stranger.get("/live")
    assert "has ended" not in stranger.page


@pytest.mark.parametrize("length", [MAX_KEPT + 1, MAX_LOGIN + 1])
def test_what_is_too_long_to_come_back_is_said_to_be_lost(admin: Any, length: int) -> None:
    answer = send_late(admin, "/editor/publish", text="x" * length)
    assert answer.status_code == 401
    assert "was not saved" in text_of(admin.page)
    assert "kept_fields" not in admin.page
    assert log_in(admin).status_code == 303


def test_a_form_that_has_nothing_to_type_does_not_come_back(admin: Any) -> None:
    send_late(admin, "/logout")
    assert "kept_at" not in admin.page


def test_what_the_new_session_may_not_do_is_not_shown(admin: Any, ada: str) -> None:
    send_late(admin, "/leads", **contact(ada))
    answer = log_in(admin, "read")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/leads/{ada}"


@pytest.mark.parametrize(
    "address",
    ["", "/nowhere", "//evil.example", "/v1/batch", "/logout", "/leads/no-such-lead/claim",
     "https://evil.example/leads", "/leads\0", "/" + "x" * 600],
)  # fmt: skip
def test_an_address_that_is_no_form_leads_to_the_page_as_before(
    stranger: Any, address: str
) -> None:
    stranger.page = ""
    answer = log_in(stranger, kept_at=address, kept_fields="note=hello")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"


def test_fields_of_strangers_are_only_shown(stranger: Any, ada: str, collector: Collector) -> None:
    stranger.page = ""
    fields = f"lead={ada}&action=dismiss&reason=%22%3E%3Cscript%3E&next=%2F&form_token=x"
    answer = log_in(stranger, kept_at="/leads", kept_fields=fields)
    assert answer.status_code == 200
    assert '"><script>' not in stranger.page
    assert state_of(collector, ada) == "new"
    many = "&".join(["lead=x"] * 2_000)
    assert log_in(stranger, kept_at="/leads", kept_fields=many).status_code == 303


def test_a_form_of_another_site_is_refused_before_it_can_come_back(stranger: Any, ada: str) -> None:
    answer = stranger.client.post(
        "/leads", data=contact(ada), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert b"kept_fields" not in answer.data
