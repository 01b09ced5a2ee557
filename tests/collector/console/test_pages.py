"""What the pages of the console show and change."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import threading
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector
from pequel_collector.ports import By, LeadFilter
from pequel_collector.web.app import create_app

from .conftest import Browser, text_of

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil\u2066",
    "x" * 500,
    "👩‍👩‍👧‍👦" * 20,
    "=cmd|' /C calc'!A0",
    "a/../b?c#d%2F",
    "..",
    "{{ 7 * 7 }}{% raise %}",
]


class TestTheInbox:
    def test_teaches_while_it_is_empty(self, admin: Any) -> None:
        admin.get("/")
        assert "No leads yet" in admin.page
        assert "2 definitions are in force" in text_of(admin.page)

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("/", "No open leads New ones appear here the moment somebody qualifies."),
            ("/?sort=due_at", "No open leads"),
            ("/?state=new", "No new leads New ones appear here"),
            ("/?owner=Mia", "You have no open leads"),
            ("/?overdue=true", "Nothing is overdue"),
            ("/?snoozed=true", "Nothing is snoozed"),
        ],
    )
    def test_says_where_leads_are_while_a_tab_has_none(
        self, admin: Any, ada: str, path: str, words: str
    ) -> None:
        admin.post("/leads", lead=ada, action="dismiss", reason="a slip")
        admin.get(path)
        found = text_of(admin.page)
        assert words in found
        assert "1 dismissed · 1 in every state" in found
        assert "No lead fits these filters" not in found

    def test_counts_what_is_snoozed_while_nothing_is_open(self, admin: Any, ada: str) -> None:
        admin.post("/leads", lead=ada, action="snooze", until="3d")
        admin.get("/")
        assert "1 snoozed · 1 in every state" in text_of(admin.page)
        assert "Not in this list" not in admin.page

    @pytest.mark.parametrize("text", ["byron", "ACME.example", "@acme", "inc", "acme", "ada b"])
    def test_finds_a_lead_by_any_word(self, admin: Any, ada: str, text: str) -> None:
        admin.get(f"/?q={text}")
        assert f'href="/leads/{ada}"' in admin.page

    def test_offers_other_lists_where_a_search_finds_no_lead(self, admin: Any, ada: str) -> None:
        admin.get("/?q=yron%26x")
        assert f'href="/leads/{ada}"' not in admin.page
        assert '<a href="/users?q=yron%26x">users</a>' in admin.page
        assert '<a href="/accounts?q=yron%26x">accounts</a>' in admin.page

    def test_finds_an_owner_however_it_is_written(self, admin: Any, ada: str) -> None:
        admin.post("/leads", lead=ada, action="assign", owner="Ben Okafor")
        for owner in ("ben+okafor", "BEN+OKAFOR", "Ben+Okafor"):
            admin.get(f"/?owner={owner}")
            assert f'href="/leads/{ada}"' in admin.page, owner
            rows = list(csv.DictReader(io.StringIO(admin.get(f"/leads.csv?owner={owner}").text)))
            assert [row["owner"] for row in rows] == ["Ben Okafor"]
        admin.get("/?owner=ben")
        assert "No lead fits these filters" in admin.page

    def test_begins_each_lead_with_its_sentence(self, admin: Any, ada: str) -> None:
        admin.get("/")
        assert "Ada Byron at Acme Inc created 3 different projects" in text_of(admin.page)
        assert "(3 needed)" not in admin.page

    def test_keeps_its_filters_in_the_address(self, admin: Any, ada: str) -> None:
        admin.get("/?definition=set_up&plan=free")
        assert "No lead fits these filters" in admin.page
        admin.get("/?definition=set_up&plan=")
        assert "Ada Byron" in admin.page
        assert "/?definition=set_up&amp;state=new" in admin.page

    def test_counts_each_tab(self, admin: Any, ada: str, clock: Any) -> None:
        clock.now += 5 * 3_600_000
        admin.get("/")
        tabs = text_of(re.findall(r'<nav class="tabs".*?</nav>', admin.page, re.DOTALL)[0])
        assert tabs == "Open 1 New 1 Mine 0 Overdue 1 Snoozed 0 Dismissed 0 All 1"
        assert "overdue, was due" in text_of(admin.page)

    @pytest.mark.parametrize("query", ["color=red", "state=odd", "limit=0", "q=a&q=b", "cursor=x"])
    def test_says_what_is_wrong_with_a_filter(self, admin: Any, query: str) -> None:
        assert admin.get(f"/?{query}").status_code == 400
        assert "expected" in admin.page

    def test_goes_on_where_the_page_ends(self, admin: Any, send: Any) -> None:
        send(
            *(
                {"userId": f"u{n}", "event": "project_created", "properties": {"project_id": p}}
                for n in range(3)
                for p in "abc"
            )
        )
        admin.get("/?limit=2")
        [more] = re.findall(r'href="([^"]*cursor=[^"]*)" rel="next"', admin.page)
        first = set(re.findall(r'name="lead" value="(\w+)"', admin.page))
        admin.get(more.replace("&amp;", "&"))
        assert len(first) == 2
        assert len(set(re.findall(r'name="lead" value="(\w+)"', admin.page)) - first) == 1

    def test_downloads_what_it_shows(self, admin: Any, ada: str) -> None:
        admin.get("/?definition=set_up")
        assert 'href="/leads.csv?definition=set_up"' in admin.page
        rows = list(csv.DictReader(io.StringIO(admin.client.get("/leads.csv").text)))
        assert [row["id"] for row in rows] == [ada]
        assert len(admin.client.get("/leads.csv?definition=team").text.splitlines()) == 1

    def test_offers_no_change_to_who_only_reads(self, stranger: Any, ada: str) -> None:
        stranger.log_in("read")
        stranger.get("/")
        assert "Assign" not in stranger.page
        stranger.get(f"/leads/{ada}")
        assert "Assign" not in stranger.page


class TestChanges:
    def lead(self, collector: Collector, lead_id: str) -> Any:
        return collector.queries.pql(lead_id).lead

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"action": "assign", "owner": "ben"}, {"state": "assigned", "owner": "ben"}),
            ({"action": "contact", "channel": "call", "note": "hi"}, {"state": "contacted"}),
            ({"action": "dismiss", "reason": "a test"}, {"state": "dismissed"}),
            ({"action": "lose", "reason": "too dear"}, {"state": "lost"}),
            ({"action": "win", "amount": "1200", "currency": "eur"}, {"amount": "1200"}),
            ({"action": "snooze", "until": "1d"}, {"state": "new"}),
        ],
    )
    def test_are_made_in_the_name_of_who_makes_them(
        self, admin: Any, collector: Collector, ada: str, fields: Any, expected: Any
    ) -> None:
        answer = admin.post("/leads", lead=ada, once="1", next=f"/leads/{ada}", **fields)
        assert answer.request.path == f"/leads/{ada}"
        assert 'class="notice"' in admin.page
        lead = self.lead(collector, ada)
        assert {name: getattr(lead, name) for name in expected} == expected
        assert collector.queries.pql(ada).history[-1].actor == "Mia"  # type: ignore[index]

    def test_snoozed_leads_say_when_they_come_back(
        self, admin: Any, collector: Collector, ada: str
    ) -> None:
        admin.post("/leads", lead=ada, action="snooze", until="3d")
        admin.get("/")
        assert "snoozed, back in 3 d" not in text_of(admin.page)
        assert "Open 0 New 0 Mine 0 Overdue 0 Snoozed 1 Dismissed 0 All 1" in text_of(admin.page)
        admin.get("/?snoozed=true")
        assert "snoozed, back in 3 d" in text_of(admin.page)
        admin.post("/leads", lead=ada, action="wake")
        assert self.lead(collector, ada).snoozed_until is None

    def test_snoozed_leads_are_counted_apart_wherever_open_ones_are(
        self, admin: Any, ada: str
    ) -> None:
        admin.post("/leads", lead=ada, action="snooze", until="3d")
        admin.get("/?definition=set_up")
        assert "Not in this list: 1 snoozed" in text_of(admin.page)
        assert 'href="/?definition=set_up&amp;snoozed=true"' in admin.page
        admin.get("/?state=new")
        assert 'href="/?state=new&amp;snoozed=true">1 snoozed' in admin.page
        for path in ("/?state=any", "/?snoozed=true", "/?q=ada", "/?overdue=true"):
            admin.get(path)
            assert "Not in this list" not in admin.page, path
        for path in ("/definitions", "/definition?name=set_up"):
            admin.get(path)
            assert "0 open leads" in text_of(admin.page), path
            assert '<a href="/?definition=set_up&amp;snoozed=true">1 snoozed</a>' in admin.page

    def test_a_form_that_is_sent_again_changes_nothing_more(
        self, admin: Any, collector: Collector, ada: str
    ) -> None:
        for _ in range(2):
            admin.post("/leads", lead=ada, action="assign", owner="ben", once="abc")
        admin.post("/leads", lead=ada, action="assign", owner="cem", once="abc")
        history = collector.queries.pql(ada).history or ()
        assert [entry.what for entry in history] == ["opened", "assigned", "assigned"]

    def test_of_several_leads_are_made_together(
        self, admin: Any, collector: Collector, ada: str, send: Any
    ) -> None:
        send({"userId": "bob", "event": "teammate_invited", "context": {"groupId": "globex"}})
        ids = [answer.lead.id for answer in collector.queries.pqls(LeadFilter(), 10).data]
        admin.post("/leads", lead=ids, action="assign", owner="ben")
        assert "Assigned 2 leads" in admin.page
        assert {self.lead(collector, id_).owner for id_ in ids} == {"ben"}

    def test_that_fail_for_some_come_back_to_the_list_with_names(
        self, admin: Any, ada: str, send: Any, collector: Collector
    ) -> None:
        send({"userId": "bob", "event": "teammate_invited", "context": {"groupId": "globex"}})
        [other] = [
            a.lead.id for a in collector.queries.pqls(LeadFilter(), 9).data if a.lead.id != ada
        ]
        admin.post("/leads", lead=ada, action="win")
        fields = {"action": "dismiss", "reason": "x", "next": "/?definition=team"}
        answer = admin.post("/leads", lead=[ada, other, "nothing"], **fields)
        assert answer.status_code == 200
        words = text_of(admin.page)
        assert "1 lead was changed, 2 not: Ada Byron is won already 1 more" in words
        assert "<h1>Leads</h1>" in admin.page
        assert "<option selected>team</option>" in admin.page
        answer = admin.post("/leads", lead=[ada, other], **fields)
        assert answer.status_code == 409
        assert "globex is dismissed already" in text_of(admin.page)

    def test_of_dismissed_leads_take_them_up_again(
        self, admin: Any, ada: str, collector: Collector
    ) -> None:
        admin.post("/leads", lead=ada, action="dismiss", reason="a slip")
        admin.get("/?state=dismissed")
        assert "Dismissed 1" in text_of(admin.page)
        assert "Ada Byron" in admin.page
        assert 'value="reopen">Reopen' in admin.page
        assert 'value="dismiss"' not in admin.page
        admin.post("/leads", lead=[ada], action="reopen", next="/?state=dismissed")
        assert "Reopened the lead" in admin.page
        assert self.lead(collector, ada).state == "new"

    def test_that_the_state_forbids_are_refused(self, admin: Any, ada: str) -> None:
        admin.post("/leads", lead=ada, action="win")
        answer = admin.post("/leads", lead=ada, action="dismiss", reason="x")
        assert answer.status_code == 409
        assert "a lead that is won cannot become dismissed" in text_of(admin.page).lower()

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"action": "assign", "owner": " "}, "owner"),
            ({"action": "dismiss"}, "reason"),
            ({"action": "snooze", "until": "9y"}, "until"),
            ({"action": "explode"}, "action"),
            ({}, "action"),
            ({"action": "win", "amount": "many"}, "amount"),
            ({"action": "contact", "channel": "x" * 600}, "channel"),
        ],
    )
    def test_that_are_incomplete_name_the_field(
        self, admin: Any, ada: str, fields: Any, field: str
    ) -> None:
        assert admin.post("/leads", lead=ada, **fields).status_code == 400
        assert field in text_of(admin.page).lower()

    def test_need_leads_but_not_too_many(self, admin: Any) -> None:
        for ids in ([], [str(n) for n in range(101)]):
            answer = admin.post("/leads", lead=ids, action="assign", owner="x")
            assert answer.status_code == 400


class TestViews:
    def test_are_saved_shown_and_removed(self, admin: Any) -> None:
        admin.post("/views", name="Big ones", query="definition=set_up&cursor=x")
        assert '<a href="/?definition=set_up"' in admin.page
        assert "Remove “Big ones” for everybody?" in text_of(admin.page)
        assert "Everybody who uses the console sees it." in text_of(admin.page)
        [path] = re.findall(r'action="(/views/\w+/remove)"', admin.page)
        admin.post(path)
        assert "Big ones" not in admin.page
        assert admin.post(path).status_code == 404

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": ""},
            {"name": "x" * 61},
            {"name": "x", "query": "color=red"},
            {"name": "x", "query": "q=" + "x" * 2_000},
        ],
    )
    def test_that_lead_nowhere_are_refused(self, admin: Any, fields: Any) -> None:
        assert admin.post("/views", **fields).status_code == 400


class TestALead:
    def test_shows_why_who_and_what_to_do(self, admin: Any, ada: str) -> None:
        admin.get(f"/leads/{ada}")
        page = text_of(admin.page)
        assert "Ada Byron at Acme Inc created 3 different projects" in page
        assert "What to do: offer the team plan" in page
        assert "3 of 3" in page
        assert "✓ no customer" in page
        assert "Used: basics Not yet: reports" in page
        assert admin.page.count("<circle") == 3
        assert admin.page.count('class="deciding"') == 3

    def test_links_e_mail_addresses_wherever_they_stand(self, admin: Any, ada: str) -> None:
        link = '<a href="mailto:ada@acme.example"><bdi>ada@acme.example</bdi></a>'
        for path in ("/", f"/leads/{ada}", "/users", "/user?id=ada", "/account?id=acme"):
            admin.get(path)
            assert link in admin.page, path

    def test_says_nothing_of_null(self, admin: Any, ada: str) -> None:
        admin.post("/leads", lead=ada, action="win", amount="12k", next=f"/leads/{ada}")
        assert "an amount such as &#34;1200.00&#34;, or nothing" in admin.page
        assert "null" not in text_of(admin.page)

    def test_has_a_proof(self, admin: Any, ada: str) -> None:
        admin.get(f"/leads/{ada}/proof")
        assert "Equal to a replay" in admin.page

    @pytest.mark.parametrize("lead_id", ["nothing", "x" * 600, "%00", "a%2Fb"])
    def test_that_is_not_there_is_not_found(self, admin: Any, lead_id: str) -> None:
        assert admin.get(f"/leads/{lead_id}").status_code == 404

    def test_that_nobody_has_worked_says_what_to_do(self, admin: Any, ada: str) -> None:
        admin.get(f"/leads/{ada}")
        assert "What to do" in admin.page
        for fields in ({"action": "contact"}, {"action": "dismiss", "reason": "a test"}):
            admin.post("/leads", lead=ada, next=f"/leads/{ada}", **fields)
            assert "What to do" not in admin.page

    def test_says_what_was_needed_beside_more(
        self, admin: Any, ada: str, collector: Collector
    ) -> None:
        collector.put_definitions(collector.catalogue.text.replace("gte = 3", "gte = 2"))
        collector.backfill_briefly()
        admin.get(f"/leads/{ada}")
        assert "3 (2 needed)" in text_of(admin.page)
        assert "3 of 2" not in admin.page

    def test_has_no_loose_dot_before_its_owner(self, admin: Any, ada: str) -> None:
        admin.post("/leads", lead=ada, action="dismiss", reason="a test")
        admin.get(f"/leads/{ada}")
        assert "dismissed qualified now" in text_of(admin.page)
        admin.post("/leads", lead=ada, action="reopen")
        admin.get(f"/leads/{ada}")
        assert "due in 4 h · with nobody yet · qualified now" in text_of(admin.page)


class TestAVoidedLead:
    @pytest.fixture
    def voided(self, admin: Any, ada: str, collector: Collector) -> str:
        collector.put_definitions(collector.catalogue.text.replace("gte = 3", "gte = 9"))
        collector.backfill_briefly()
        return ada

    def test_says_why_and_not_what_to_do(self, admin: Any, voided: str) -> None:
        admin.get(f"/leads/{voided}")
        page = text_of(admin.page)
        assert "voided qualified now" in page
        assert "the definition changed" in page
        assert "definition_changed" not in page
        assert "What to do" not in page

    def test_is_among_the_past_leads_of_its_user(self, admin: Any, voided: str) -> None:
        admin.get("/user?id=ada")
        page = text_of(admin.page)
        assert "Past leads" in page
        assert "the definition changed · became a lead" in page
        assert f'href="/leads/{voided}"' in admin.page
        admin.get("/account?id=acme")
        assert "Past leads" not in admin.page

    def test_is_counted_below_all_leads(self, admin: Any, voided: str) -> None:
        admin.get("/?state=any&definition=set_up")
        [link] = re.findall(r'<a href="([^"]+)">1 voided</a>', admin.page)
        admin.get(html.unescape(link))
        assert f'href="/leads/{voided}"' in admin.page
        admin.get("/")
        assert "1 voided" not in admin.page

    def test_is_found_from_a_search_without_a_hit(self, admin: Any, voided: str) -> None:
        admin.get("/?q=ada")
        [link] = re.findall(r'<a href="([^"]+)">Search the voided ones</a>', admin.page)
        admin.get(html.unescape(link))
        assert f'href="/leads/{voided}"' in admin.page


class TestLive:
    def test_teaches_before_the_first_event(self, admin: Any) -> None:
        admin.get("/live")
        assert "No event has arrived yet" in admin.page
        assert "http://localhost/v1/track" in admin.page
        assert "YOUR_WRITE_KEY" in admin.page

    def test_shows_how_a_stored_write_key_begins(self, admin: Any, collector: Collector) -> None:
        key = collector.keys.create("write").key
        admin.get("/live")
        assert f"{key.prefix}…" in admin.page

    def test_sends_a_test_event(self, admin: Any, collector: Collector) -> None:
        admin.post("/live/test")
        assert "pequel_test" in admin.page
        assert collector.queries.events(10).data[0].message.name == "pequel_test"

    def test_shows_what_arrived_and_what_was_refused(self, admin: Any, send: Any) -> None:
        send({"userId": "u1", "event": "projct_created"}, {"event": "nobody"})
        admin.get("/live")
        page = text_of(admin.page)
        assert "projct_created looks like project_created" in page
        assert "refused" in page
        admin.get("/live?event=other")
        assert "projct_created" not in admin.page

    def test_follows_what_arrives(self, admin: Any, send: Any, collector: Collector) -> None:
        admin.get("/live")
        [after] = re.findall(r'data-after="([^"]+)"', admin.page)
        send(*({"userId": "u1", "event": "teammate_invited", "context": {"groupId": "acme"}},))
        found = admin.client.get(f"/live/lines?after={after}").json
        assert "teammate_invited" in found["html"]
        assert "is a lead" in found["html"]
        sent = threading.Timer(0.05, send, [{"userId": "u2", "event": "later"}])
        sent.start()
        found = admin.client.get(f"/live/lines?after={found['next']}").json
        sent.join()
        assert (found["number"], "later" in found["html"]) == (1, True)

    def test_says_how_much_arrived_within_the_last_minute(
        self, admin: Any, send: Any, collector: Collector
    ) -> None:
        admin.get("/live")
        assert "0 in the last minute" in text_of(admin.page)
        send({"userId": "u1", "event": "a"}, {"userId": "u1", "event": "b"}, {"event": "nobody"})
        again = Browser(create_app(collector).test_client())  # it has counted nothing yet
        again.log_in("admin")
        again.get("/live")
        assert "2 in the last minute, 1 refused" in text_of(again.page)

    def test_follows_one_user(self, admin: Any, send: Any) -> None:
        send({"userId": "u1", "event": "a"}, {"userId": "u2", "event": "b"})
        admin.get("/live?user=u1")
        assert 'name=a"' in admin.page
        assert 'name=b"' not in admin.page
        assert admin.get("/live?user=nobody").status_code == 200

    def test_needs_a_place_to_go_on(self, admin: Any) -> None:
        for path in ("/live/lines", "/live/lines?after=x", "/live?odd=1"):
            assert admin.get(path).status_code == 400, path


class TestDefinitions:
    def test_read_as_sentences(self, admin: Any, ada: str) -> None:
        admin.get("/definitions")
        assert "1 open lead" in text_of(admin.page)
        admin.get("/definition?name=set_up")
        assert "Ada Byron" in admin.page
        assert admin.get("/definition?name=nothing").status_code == 404

    def test_show_who_is_nearly_there(self, admin: Any, send: Any) -> None:
        send({"userId": "bo", "event": "project_created", "properties": {"project_id": "1"}})
        admin.get("/near?name=set_up")
        assert "(2 missing)" in text_of(admin.page)
        assert admin.get("/near?name=nothing").status_code == 404

    def test_are_checked_at_their_place(self, admin: Any) -> None:
        text = '[[pql]]\nname = "a"\nwhen = { evnt = "x" }\n'
        found = admin.post("/editor/check", text=text).json
        assert not found["is_right"]
        assert found["marks"][0] == {
            "line": 3,
            "column": 10,
            "level": "error",
            "message": found["marks"][0]["message"],
        }
        found = admin.post("/editor/check", text=text.replace("evnt", "event")).json
        assert found["is_right"]
        assert [each["name"] for each in found["sentences"]] == ["a"]

    def test_are_tried_on_history(self, admin: Any, ada: str, collector: Collector) -> None:
        text = collector.catalogue.text.replace("gte = 3", "gte = 4")
        admin.post("/editor/preview", text=text, base="")
        page = text_of(admin.page)
        assert "set_up changes to version 2: 0 more, 1 fewer" in page
        assert "Fewer: ada@acme.example" in page or "Fewer: Ada Byron" in page
        assert "gte = 3" in collector.catalogue.text

    def test_a_dry_run_goes_to_its_result(self, admin: Any, collector: Collector) -> None:
        admin.get("/editor")
        assert 'action="/editor/preview#preview"' in admin.page
        assert "data-again" not in admin.page
        admin.post("/editor/preview", text=collector.catalogue.text, base="")
        assert '<h2 id="preview" tabindex="-1">' in admin.page
        assert "data-again" in admin.page
        assert "No lead would come, go or move." in admin.page

    def test_are_published_with_a_reason(self, admin: Any, ada: str, collector: Collector) -> None:
        admin.get("/editor")
        [base] = re.findall(r'name="base" value="(\w+)"', admin.page)
        text = collector.catalogue.text.replace("gte = 3", "gte = 2").replace("\n", "\r\n")
        assert admin.post("/editor/publish", text=text, base=base).status_code == 400
        admin.post("/editor/publish", text=text, base=base, reason="two are enough")
        assert "Published. 1 definition changed." in admin.page
        admin.get("/definition?name=set_up")
        page = text_of(admin.page)
        assert "Version 2" in page
        assert "two are enough" in page
        assert "by Mia" in page
        assert '<span class="added">' in admin.page
        answer = admin.post("/editor/publish", text=text, base=base, reason="again")
        assert answer.status_code == 409

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (('sla = "4h"', 'sla = "5h"'), "because sla does not decide who qualifies."),
            (
                ('sla = "4h"', 'sla = "5h"\npriority = "high"'),
                "because sla and priority do not decide who qualifies.",
            ),
            (("[features]", '[features]\nx = ["y"]'), "because [features] does not"),
            (("[features]", "# a\n[features]"), "Published. Only comments or the order changed."),
            (("[features]", "[features]"), "Nothing changed: these definitions are in force"),
        ],
    )
    def test_what_makes_no_version_is_published_too(
        self, admin: Any, collector: Collector, change: tuple[str, str], said: str
    ) -> None:
        admin.get("/editor")
        [base] = re.findall(r'name="base" value="(\w+)"', admin.page)
        text = collector.catalogue.text.replace(*change)
        admin.post("/editor/publish", text=text, base=base, reason="the team is away")
        assert said in text_of(admin.page)
        assert collector.catalogue.text == text

    def test_a_change_without_a_version_is_kept_with_its_reason(
        self, admin: Any, collector: Collector
    ) -> None:
        admin.get("/editor")
        [base] = re.findall(r'name="base" value="(\w+)"', admin.page)
        text = collector.catalogue.text.replace('sla = "4h"', 'sla = "5h"')
        admin.post("/editor/publish", text=text, base=base, reason="the team is away")
        admin.get("/definition?name=set_up")
        page = text_of(admin.page)
        assert "Version 1 with other fields" in page
        assert "by Mia" in page
        assert "the team is away sla: &#34;4h&#34; → &#34;5h&#34;" in page
        admin.get("/settings")
        page = text_of(admin.page)
        assert "definitions put: sla of set_up by" in page
        assert "the team is away" in page

    def test_each_time_that_a_version_came_in_force_is_listed(
        self, admin: Any, clock: Any, collector: Collector
    ) -> None:
        first = collector.catalogue.text
        for text, who in ((first.replace("gte = 3", "gte = 2"), "Ada"), (first, "Ben")):
            clock.now += 60_000
            collector.put_definitions(text, By("k", "a change"), who)
        admin.get("/definition?name=set_up")
        lines = [text_of(each) for each in re.findall(r"<summary>.*?</summary>", admin.page)]
        assert [line.partition(" ")[0] + line[7:9] for line in lines] == [
            "Version 1", "Version 2", "Version 1"
        ]  # fmt: skip
        assert "by Ben" in lines[0]
        assert "by Ada" in lines[1]
        assert admin.page.count('class="diff"') == 3

    def test_an_earlier_version_is_published_again(self, admin: Any, collector: Collector) -> None:
        first = collector.catalogue.text
        admin.get("/editor")
        text = first.replace("gte = 3", "gte = 2")
        [base] = re.findall(r'name="base" value="(\w+)"', admin.page)
        admin.post("/editor/publish", text=text, base=base, reason="two are enough")
        admin.get("/definition?name=set_up")
        [link] = re.findall(r'href="([^"]+)">Publish this version again', admin.page)
        admin.get(html.unescape(link))
        assert "Version 1 of set_up stands in place of the one in force" in text_of(admin.page)
        assert 'value="back to version 1 of set_up"' in admin.page
        [shown] = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", admin.page, re.DOTALL)
        assert html.unescape(shown) == first
        [base] = re.findall(r'name="base" value="(\w+)"', admin.page)
        admin.post("/editor/publish", text=html.unescape(shown), base=base, reason="back")
        assert "Published. 1 definition changed." in admin.page
        assert collector.catalogue.text == first

    def test_an_earlier_version_without_a_place_stands_at_the_end(
        self, admin: Any, collector: Collector
    ) -> None:
        table = '[[pql]]\nname = "set_up"\nwhen = { event = "a" }\n'
        collector.put_definitions(table, By("k", "r"), "Mia")
        apart = '[[pql]]\nname = "set_up"\n[project]\nkey_events = ["b"]\n[pql.when]\nevent = "b"\n'
        collector.put_definitions(apart, By("k", "r"), "Mia")
        admin.get("/editor?definition=set_up&version=2")
        assert "stands at the end of the text: take out the one" in text_of(admin.page)
        assert "event = &#34;a&#34;" in admin.page

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("definition=set_up&version=9", 404), ("definition=x&version=1", 404),
            ("version=1", 404), ("definition=set_up&version=x", 400), ("color=red", 400),
        ],
    )  # fmt: skip
    def test_a_version_that_is_not_there_is_not_found(
        self, admin: Any, query: str, status: int
    ) -> None:
        assert admin.get(f"/editor?{query}").status_code == status

    def test_who_only_reads_publishes_no_version_again(self, stranger: Any, ada: str) -> None:
        stranger.log_in("read")
        stranger.get("/definition?name=set_up")
        assert "Publish this version" not in stranger.page

    def test_with_a_slip_in_an_event_are_told_what_arrives(self, admin: Any, ada: str) -> None:
        text = '[[pql]]\nname = "a"\nwhen = { event = "projct_created", gte = 2 }\n'
        said = "projct_created does not arrive: did you mean project_created? (L04)"
        marks = admin.post("/editor/check", text=text).json["marks"]
        [found] = [mark for mark in marks if mark["message"] == said]
        assert (found["line"], found["level"]) == (3, "warning")
        accepted = text + '[pql.accept]\nL04 = "soon"\n'
        right = text.replace("projct", "project")
        for other in (accepted, right, text.replace("projct_created", "other")):
            marks = admin.post("/editor/check", text=other).json["marks"]
            assert not any("does not arrive" in mark["message"] for mark in marks), other

    def test_with_mistakes_are_not_published(self, admin: Any, collector: Collector) -> None:
        before = collector.catalogue.text
        for path in ("/editor/publish", "/editor/preview"):
            assert admin.post(path, text="[[pql", base="", reason="x").status_code == 400
            assert "Mend the mistakes first" in admin.page
        assert collector.catalogue.text == before


class TestSubjects:
    def test_are_listed_and_found(self, admin: Any, ada: str) -> None:
        admin.get("/users?q=ADA")
        assert "Ada Byron" in admin.page
        admin.get("/users?q=zed")
        assert "begins with" in admin.page
        admin.get("/accounts")
        assert "Acme Inc" in admin.page

    def test_are_downloaded_as_they_are_listed(self, admin: Any, ada: str, send: Any) -> None:
        send({"type": "identify", "userId": "bo", "traits": {"name": "＝1", "consent": True}})
        admin.get("/users?q=b&trait.consent=true")
        assert "Only those with consent true" in text_of(admin.page)
        [link] = re.findall(r'href="(/users\.csv[^"]*)"', admin.page)
        answer = admin.client.get(html.unescape(link))
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(row["id"], row["trait.name"]) for row in rows] == [("bo", "'＝1")]
        admin.get("/users?q=ada&trait.consent=true")
        assert "Nobody is like this" in text_of(admin.page)
        rows = list(csv.DictReader(io.StringIO(admin.client.get("/accounts.csv").text)))
        assert [row["id"] for row in rows] == ["acme"]
        for path in ("/users?format=csv", "/users.csv?format=json", "/users.csv?limit=x"):
            assert admin.get(path).status_code == 400, path

    def test_teach_while_there_are_none(self, admin: Any) -> None:
        for path in ("/users", "/accounts"):
            admin.get(path)
            assert "pequel." in admin.page

    def test_say_why_they_are_no_lead(self, admin: Any, send: Any) -> None:
        send({"userId": "bo", "event": "project_created", "properties": {"project_id": "1"}})
        admin.get("/user?id=bo")
        page = text_of(admin.page)
        assert "Not a lead yet" in page
        assert "1 of 3" in page

    def test_of_an_account_show_that_its_people_are_leads(
        self, admin: Any, ada: str, send: Any
    ) -> None:
        admin.get("/account?id=acme")
        page = text_of(admin.page)
        assert "1 of its people is a lead" in page
        assert "Ada Byron created 3 different projects" in page
        assert "The account itself is not a lead yet" in page
        assert f'<a class="flag" href="/leads/{ada}">is a lead</a>' in admin.page
        admin.get("/accounts")
        assert "Acme Inc 0 1" in text_of(admin.page)
        [link] = re.findall(r'href="(/\?account=[^"]+)"', admin.page)
        admin.get(html.unescape(link))
        assert "Ada Byron" in admin.page
        send({"userId": "bo", "event": "teammate_invited", "context": {"groupId": "acme"}})
        admin.get("/account?id=acme")
        assert "Is a lead" in text_of(admin.page)
        send({"userId": "cy", "event": "other", "context": {"groupId": "empty"}})
        admin.get("/account?id=empty")
        assert "Not a lead yet" in text_of(admin.page)

    def test_of_an_account_are_its_people(self, admin: Any, ada: str) -> None:
        admin.get("/account?id=acme")
        assert "Ada Byron" in admin.page
        admin.get("/feature?name=basics&used=true")
        assert "Ada Byron" in admin.page

    def test_that_are_not_there_are_not_found(self, admin: Any) -> None:
        for path in ("/user?id=x", "/account?id=x", "/event?name=x"):
            assert admin.get(path).status_code == 404, path
        for path in ("/user", "/account?id=", "/feature?name=x&used=maybe", "/users?limit=0"):
            assert admin.get(path).status_code == 400, path


class TestTheCatalogue:
    def test_shows_first_what_never_arrives(self, admin: Any, ada: str) -> None:
        admin.get("/catalogue")
        page = text_of(admin.page)
        assert page.index("teammate_invited") < page.index("project_created 3")
        assert "never received" in page

    def test_shows_properties_with_their_types(self, admin: Any, send: Any) -> None:
        send(
            {"userId": "u", "event": "e", "properties": {"size": 1, "tags": ["a"]}},
            {"userId": "u", "event": "e", "properties": {"size": "big"}},
        )
        admin.get("/event?name=e")
        page = text_of(admin.page)
        assert "size 2 of 2" in page
        assert "No definition uses it. Who uses it?" in page
        assert "a number 1, text 1" in page or "text 1, a number 1" in page

    def test_marks_names_that_look_alike(self, admin: Any, send: Any) -> None:
        send({"userId": "u", "event": "Project Created"})
        admin.get("/catalogue")
        assert "looks like project_created" in text_of(admin.page)


class TestSettings:
    def test_keys_are_made_rotated_and_revoked(self, admin: Any, collector: Collector) -> None:
        admin.post("/keys", kind="work", label="sales", reason="new rep")
        [token] = re.findall(r"<code>(pk_k_\w+)</code>", admin.page)
        key = collector.keys.find(token)
        assert key
        assert key.label == "sales"
        admin.post(f"/keys/{key.id}/rotate", overlap="0")
        assert collector.keys.find(token) is None
        [token] = re.findall(r"<code>(pk_k_\w+)</code>", admin.page)
        new = collector.keys.find(token)
        assert new
        admin.post(f"/keys/{new.id}/revoke", reason="left")
        assert collector.keys.find(token) is None
        admin.get("/settings")
        page = text_of(admin.page)
        assert "key created" in page
        assert "left" in page

    @pytest.mark.parametrize(
        ("path", "fields"),
        [
            ("/keys", {"kind": "god"}),
            ("/keys", {"kind": "read", "rate": "-1"}),
            ("/keys", {"kind": "partner"}),
            ("/keys", {"kind": "read", "label": "x" * 200}),
            ("/keys/nothing/rotate", {"overlap": "soon"}),
        ],
    )
    def test_wrong_fields_are_named(self, admin: Any, path: str, fields: Any) -> None:
        assert admin.post(path, **fields).status_code == 400

    def test_keys_that_are_not_there_are_not_found(self, admin: Any) -> None:
        for path in ("/keys/nothing/rotate", "/keys/settings-read/revoke"):
            assert admin.post(path).status_code == 404, path

    def test_show_what_came_in(self, admin: Any, ada: str) -> None:
        admin.get("/settings")
        assert "2026-03 PEQUEL_WRITE_KEY 5" in text_of(admin.page)

    def test_who_reads_sees_no_acts_and_makes_no_keys(self, stranger: Any) -> None:
        stranger.log_in("read")
        stranger.get("/settings")
        assert "Who did what" not in stranger.page
        assert "Make a key" not in stranger.page


class TestHostileValues:
    @pytest.mark.parametrize("value", HOSTILE)
    def test_are_shown_as_they_are_and_run_nowhere(
        self, admin: Any, send: Any, collector: Collector, value: str
    ) -> None:
        """As ids, names, events, properties and traits, on every page."""
        raw = json.dumps(
            [
                {"type": "identify", "userId": value, "traits": {"name": value, value: value}},
                *(
                    {
                        "type": "track",
                        "userId": value,
                        "event": name,
                        "context": {"groupId": value},
                        "properties": {"project_id": f"{value}{n}", value[:100]: value},
                    }
                    for n in range(3)
                    for name in ("project_created", value[:500], "teammate_invited")
                ),
            ]
        )
        client = admin.client
        headers = {"X-Write-Key": "write-key"}
        answer = client.post("/v1/batch", data=f'{{"batch": {raw}}}', headers=headers)
        assert answer.json["accepted"] == 10
        leads = collector.queries.pqls(LeadFilter(), 10).data
        assert len(leads) == 2
        admin.get("/users")
        seen = list(self.pages(admin, [f"/leads/{each.lead.id}" for each in leads]))
        assert len(seen) > 12
        for path, status, page in seen:
            assert status == 200, path
            assert "<script>alert" not in page, path
            assert "<img src=x" not in page, path
            assert "<bdi>49" not in page, path
            assert "\u202e" not in page, path

    def pages(self, admin: Any, paths: list[str]) -> Any:
        """The main pages, and those of the first links on them."""
        todo = ["/", "/live", "/users", "/accounts", "/catalogue", "/definitions", *paths]
        done: set[str] = set()
        while todo and len(done) < 30:
            path = todo.pop(0)
            if path in done:
                continue
            done.add(path)
            answer = admin.get(path)
            yield path, answer.status_code, admin.page
            links = re.findall(r'href="(/(?:user|account|event|definition)\?[^"]*)"', admin.page)
            todo += [link.replace("&amp;", "&") for link in dict.fromkeys(links)][:4]


def test_a_database_that_is_away_is_said_so(
    admin: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pequel_collector.errors import Unavailable

    def fail(*_: Any) -> Any:
        raise Unavailable("the database cannot be used at the moment: gone")

    monkeypatch.setattr(collector.queries, "pqls", fail)
    answer = admin.get("/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    monkeypatch.setattr(collector.store, "reading", fail)
    assert admin.get("/").status_code == 503


def test_an_error_of_ours_shows_nothing_from_inside(
    admin: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(collector.queries, "pqls", fail)
    answer = admin.get("/")
    assert answer.status_code == 500
    assert "secret" not in admin.page
    assert "Something broke here" in admin.page
