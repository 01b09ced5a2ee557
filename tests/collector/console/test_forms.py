"""A mistake in a form: nothing that was typed is lost, and the mistake stands beside its field."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from pequel_collector.app.bootstrap import Collector
from pequel_collector.ports import LeadFilter
from pequel_collector.web.console.words import length

from .conftest import text_of

WITHOUT_FIELDS = {"/logout", "/logout-everywhere", "/login", "/editor/check", "/live/test"}


def field(page: str, name: str, value: str) -> bool:
    """Whether a field of this name shows a value."""
    tags = re.findall(r"<(?:input|textarea)[^>]*>", page)
    return any(f'name="{name}"' in tag and f'value="{value}"' in tag for tag in tags)


def beside(page: str) -> list[str]:
    """The mistakes that stand beside fields, each of a field that says that it is wrong."""
    found = re.findall(r'<span class="wrong" id="([^"]+)">(.*?)</span>', page)
    return [text_of(text) for id_, text in found if f'aria-describedby="{id_}"' in page]


def base_of(page: str) -> str:
    [base] = re.findall(r'name="base" value="(\w+)"', page)
    return str(base)


def test_no_form_is_answered_with_a_bare_page(admin: Any, app: Flask, ada: str) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("console.")]
    paths = {rule.rule for rule in rules if "POST" in (rule.methods or ())} - WITHOUT_FIELDS
    assert len(paths) > 8
    for path in paths - {"/leads/<lead_id>/claim"}:
        answer = admin.post(re.sub("<.*>", "nothing", path), text="[[pql")
        assert 400 <= answer.status_code < 500, path
        assert '<p class="mistake" role="alert">' in admin.page, path
        assert '<nav aria-label="Pages">' in admin.page, path


class TestTheEditor:
    def test_keeps_the_text_where_the_reason_is_missing(
        self, admin: Any, collector: Collector
    ) -> None:
        admin.get("/editor")
        text = collector.catalogue.text.replace("gte = 3", "gte = 77")
        answer = admin.post("/editor/publish", text=text, base=base_of(admin.page), reason=" ")
        assert answer.status_code == 400
        assert "gte = 77" in admin.page
        assert beside(admin.page) == [
            "Reason: found nothing, expected why you change the definitions"
        ]
        assert "gte = 3" in collector.catalogue.text

    def test_keeps_the_text_where_somebody_else_published(
        self, admin: Any, collector: Collector
    ) -> None:
        text = collector.catalogue.text.replace("gte = 3", "gte = 77")
        answer = admin.post("/editor/publish", text=text, base="old", reason="more")
        assert answer.status_code == 409
        assert "gte = 77" in admin.page
        assert field(admin.page, "reason", "more")
        assert "Open what is in force now" in admin.page

    def test_keeps_the_text_where_the_database_is_away(
        self, admin: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from pequel_collector.errors import Unavailable

        def fail(*_: Any) -> Any:
            raise Unavailable("the database is busy")

        monkeypatch.setattr(Collector, "put_definitions", fail)
        admin.get("/editor")
        base, text = base_of(admin.page), collector.catalogue.text.replace("gte = 3", "gte = 77")
        answer = admin.post("/editor/publish", text=text, base=base, reason="more")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert "gte = 77" in admin.page

    def test_asks_for_a_reason_only_to_publish(self, admin: Any) -> None:
        admin.get("/editor")
        assert re.search(r'<input name="reason" required', admin.page)
        assert "<button formnovalidate>Dry run" in admin.page

    def test_takes_no_reason_that_cannot_be_stored(self, admin: Any, collector: Collector) -> None:
        admin.get("/editor")
        text = collector.catalogue.text.replace("gte = 3", "gte = 77")
        for reason in ("a\0b", "x" * 501):
            answer = admin.post(
                "/editor/publish", text=text, base=base_of(admin.page), reason=reason
            )
            assert answer.status_code == 400


class TestALead:
    @pytest.mark.parametrize(
        ("action", "name", "value", "others"),
        [
            ("assign", "owner", " ", {}),
            ("dismiss", "reason", "", {}),
            ("lose", "reason", "", {}),
            ("win", "amount", "many", {"currency": "EUR"}),
            ("win", "currency", "E", {"amount": "12"}),
        ],
    )
    def test_shows_the_mistake_in_the_menu_that_was_used(
        self, admin: Any, ada: str, action: str, name: str, value: str, others: dict[str, str]
    ) -> None:
        fields = {"lead": ada, "action": action, name: value, "next": f"/leads/{ada}", **others}
        answer = admin.post("/leads", **fields)
        assert answer.status_code == 400
        assert "Ada Byron at Acme Inc" in text_of(admin.page)
        [mistake] = beside(admin.page)
        assert mistake.lower().startswith(f"{name}: found")
        [menu] = re.findall(r'<details class="menu"[^>]* open>.*?</details>', admin.page, re.DOTALL)
        assert f'value="{action}"' in menu
        assert all(field(menu, each, text) for each, text in others.items())
        assert f'name="next" value="/leads/{ada}"' in admin.page

    def test_keeps_a_note_that_is_too_long(self, admin: Any, ada: str) -> None:
        note = "a long talk " * 200
        fields = {"channel": "call", "note": note, "next": f"/leads/{ada}"}
        assert admin.post("/leads", lead=ada, action="contact", **fields).status_code == 400
        assert note.strip() in admin.page
        assert "<option selected>call</option>" in admin.page

    def test_shows_as_it_is_where_its_state_forbids_a_change(self, admin: Any, ada: str) -> None:
        admin.post("/leads", lead=ada, action="win")
        answer = admin.post("/leads", lead=ada, action="dismiss", reason="x", next=f"/leads/{ada}")
        assert answer.status_code == 409
        assert '<span class="state won">' in admin.page
        assert "cannot become dismissed" in text_of(admin.page)

    def test_asks_for_what_each_button_needs_and_no_more(self, admin: Any, ada: str) -> None:
        admin.get(f"/leads/{ada}")
        forms = re.findall(r"<form[^>]*class=\"stack\".*?</form>", admin.page, re.DOTALL)
        needs = {
            re.findall(r'name="action" value="(\w+)"', form)[0]: re.findall(
                r'<input name="(\w+)"[^>]*required', form
            )
            for form in forms
        }
        assert needs == {
            "assign": ["owner"], "contact": [], "snooze": [], "win": [],
            "dismiss": ["reason"], "lose": ["reason"],
        }  # fmt: skip


class TestTheList:
    def test_stays_with_its_filters_and_its_selection(self, admin: Any, ada: str) -> None:
        answer = admin.post(
            "/leads", lead=ada, action="dismiss", reason="", next="/?definition=set_up"
        )
        assert answer.status_code == 400
        assert "<option selected>set_up</option>" in admin.page
        assert f'value="{ada}" aria-label="Select Ada Byron" checked' in admin.page
        assert beside(admin.page) == ["Reason: found nothing, expected why it is dismissed"]
        assert 'name="next" value="/?definition=set_up"' in admin.page

    def test_says_that_nothing_is_selected(self, admin: Any, ada: str) -> None:
        answer = admin.post("/leads", action="assign", owner="zoe")
        assert answer.status_code == 400
        assert "Select leads first: found 0 selected" in text_of(admin.page)
        assert field(admin.page, "owner", "zoe")

    @pytest.mark.parametrize("next_", ["/?color=red", "https://evil.example/", "/?q=%00", "x"])
    def test_comes_without_filters_where_the_address_makes_no_sense(
        self, admin: Any, ada: str, next_: str
    ) -> None:
        answer = admin.post("/leads", lead=ada, action="dismiss", reason="", next=next_)
        assert answer.status_code == 400
        assert "evil" not in admin.page
        assert 'name="next" value="/"' in admin.page

    @pytest.mark.parametrize("id_", ["a\0b", "x" * 600])
    def test_changes_no_lead_that_cannot_be(self, admin: Any, ada: str, id_: str) -> None:
        answer = admin.post("/leads", lead=[ada, id_], action="assign", owner="zoe")
        assert answer.status_code == 200
        assert "1 lead was changed, 1 not: 1 that cannot be found" in text_of(admin.page)

    @pytest.mark.parametrize(
        ("name", "found"), [("", "nothing"), ("a\0b", "NUL"), ("x" * 61, "61")]
    )
    def test_keeps_the_name_of_a_view(self, admin: Any, name: str, found: str) -> None:
        answer = admin.post("/views", name=name, query="definition=set_up")
        assert answer.status_code == 400
        [mistake] = beside(admin.page)
        assert mistake.startswith(f"Name: found {found}") or found in mistake
        assert "<option selected>set_up</option>" in admin.page

    def test_is_shown_where_a_view_is_gone(self, admin: Any, ada: str) -> None:
        for id_ in ("nothing", "%00", "x" * 600):
            assert admin.post(f"/views/{id_}/remove").status_code == 404
            assert "Ada Byron" in admin.page


class TestTheSettings:
    def test_keep_what_was_typed_for_a_key(self, admin: Any) -> None:
        fields = {"kind": "read", "label": "sales", "rate": "many", "reason": "new rep"}
        assert admin.post("/keys", **fields).status_code == 400
        assert "<option selected>read</option>" in admin.page
        assert field(admin.page, "label", "sales")
        assert field(admin.page, "rate", "many")
        assert field(admin.page, "reason", "new rep")
        [mistake] = beside(admin.page)
        assert mistake.startswith("Rate: found &#39;many&#39;")

    def test_open_the_menu_of_the_key_that_was_meant(
        self, admin: Any, collector: Collector
    ) -> None:
        key = collector.keys.create("read").key
        answer = admin.post(f"/keys/{key.id}/rotate", overlap="24h", reason="x" * 501)
        assert answer.status_code == 400
        assert len(beside(admin.page)) == 1
        assert admin.page.count('<details class="menu" open>') == 1


def test_a_wrong_key_does_not_lose_the_name(stranger: Any) -> None:
    answer = stranger.client.post("/login", data={"key": "wrong", "name": "Mia"})
    assert field(answer.get_data(as_text=True), "name", "Mia")


def test_what_was_typed_is_escaped(admin: Any) -> None:
    value = '"><script>alert(1)</script>'
    admin.post("/keys", kind="read", label=value, rate=value)
    assert "<script>alert" not in admin.page


def test_an_owner_is_one_of_those_that_are_known(
    admin: Any, collector: Collector, ada: str, send: Any
) -> None:
    send({"userId": "bob", "event": "teammate_invited", "context": {"groupId": "globex"}})
    ids = [answer.lead.id for answer in collector.queries.pqls(LeadFilter(), 10).data]
    for id_, owner in zip(ids, ("zoe", "<cem>"), strict=True):
        admin.post("/leads", lead=id_, action="assign", owner=owner)
    for path in ("/", f"/leads/{ada}"):
        admin.get(path)
        [offered] = re.findall(r'<datalist id="owners">(.*?)</datalist>', admin.page)
        assert re.findall("<option>(.*?)</option>", offered) == ["Mia", "&lt;cem&gt;", "zoe"]


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, "0 s"), (999, "0 s"), (1_500, "1 s"), (60_000, "1 min"), (119_000, "119 s"),
        (150_000, "3 min"), (47 * 3_600_000, "47 h"), (48 * 3_600_000, "2 d"),
        (36 * 3_600_000, "36 h"), (24 * 3_600_000, "1 d"), (int(2.6 * 86_400_000), "3 d"),
    ],
)  # fmt: skip
def test_a_length_is_rounded_where_it_does_not_mislead(milliseconds: int, expected: str) -> None:
    assert length(milliseconds) == expected
