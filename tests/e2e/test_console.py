"""The console in a real browser: what people do, by mouse, by keys, on a phone, without scripts."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

import pequel
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app

DEFINITIONS = """
[project]
conversion = "subscription_started"

[[pql]]
name = "set_up"
title = "Set up"
play = "offer the team plan"
when = { event = "project_created", distinct = "project_id", gte = 3 }
unless = ["customer"]
"""
KEYS = {"write_key": "write-key", "read_key": "read-key", "admin_key": "admin-key"}
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
HOSTILE = "<script>alert(1)</script>\u202e" + "👩‍👩‍👧‍👦" * 5 + "x" * 400


class Site:
    """A collector that answers a browser, and what is sent to it."""

    def __init__(self, collector: Collector, url: str) -> None:
        self.collector, self.url = collector, url
        self._session = requests.Session()
        self._session.auth = ("write-key", "")

    def send(self, *events: dict[str, Any]) -> None:
        batch = [{"type": "track", **event} for event in events]
        answer = self._session.post(f"{self.url}/v1/batch", data=json.dumps({"batch": batch}))
        assert answer.json()["accepted"] == len(events), answer.text

    def lead(self, *users: str) -> None:
        """Make users leads."""
        for user in users:
            traits = {"name": user.title(), "email": f"{user}@acme.example", "plan": "free"}
            self.send(
                {"type": "identify", "userId": user, "traits": traits},
                {"type": "group", "userId": user, "groupId": "acme", "traits": {"name": "Acme"}},
                *(
                    {"userId": user, "event": "project_created", "properties": {"project_id": p}}
                    for p in ("a", "b", "c")
                ),
            )

    def close(self) -> None:
        self._session.close()


@contextmanager
def site_of(definitions: str) -> Iterator[Site]:
    """A site with definitions, and nothing else yet."""
    settings = Settings(database="sqlite://", **KEYS)
    with closing(open_collector(settings, read_catalogue(definitions))) as collector:
        server = make_server("127.0.0.1", 0, create_app(collector), threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            with closing(Site(collector, f"http://127.0.0.1:{server.port}")) as site:
                yield site
        finally:
            collector.arrivals.close()
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here; each has a context of its own."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("THE CONSOLE IS NOT TESTED IN A BROWSER: chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with site_of(DEFINITIONS) as site:
        yield site


@pytest.fixture(scope="module")
def full_site() -> Iterator[Site]:
    """A site with something on every page; tests only look at it."""
    with site_of(DEFINITIONS) as site:
        site.lead("ada", "ben")
        site.send(
            {"userId": "cem", "event": "project_created", "properties": {"project_id": "a"}},
            {"userId": "cem", "event": "projct_created"},
            {"type": "identify", "userId": HOSTILE, "traits": {"name": HOSTILE, "email": HOSTILE}},
            *(
                {
                    "userId": HOSTILE,
                    "event": name,
                    "properties": {"project_id": f"{HOSTILE}{n}"},
                    "context": {"groupId": HOSTILE},
                }
                for n in range(3)
                for name in ("project_created", HOSTILE)
            ),
        )
        requests.post(
            f"{site.url}/v1/track", data='{"event": "nobody"}', auth=("write-key", ""), timeout=5
        )
        yield site


Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens pages of a site. At the end, none had an error or a request to another origin."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_(site: Site, path: str = "/", key: str = "admin-key", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else 0)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda r: 0 if r.url.startswith(site.url) else wrong.append(r.url))
        if key:
            page.goto(site.url)
            page.get_by_label("Key").fill(key)
            page.get_by_label("Your name").fill("Mia")
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("heading", name="Leads", exact=True)).to_be_visible()
        page.goto(site.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


class TestFirstRun:
    def test_from_an_empty_page_to_the_first_lead(self, site: Site, opened: Open) -> None:
        page = opened(site, "/")
        expect(page.get_by_text("No leads yet")).to_be_visible()
        page.get_by_role("link", name="Do events arrive?").click()
        expect(page.get_by_text("No event has arrived yet")).to_be_visible()
        page.get_by_role("button", name="Send a test event").click()
        expect(page.get_by_role("link", name="pequel_test")).to_be_visible()
        with pequel.Client("write-key", host=site.url) as client:
            for project in ("a", "b", "c"):
                client.track("ada", "project_created", {"project_id": project})
        page.get_by_role("link", name="ada is a lead").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("created 3")


class TestWorkingLeads:
    def test_with_keys_only(self, site: Site, opened: Open) -> None:
        site.lead("ada", "ben", "cem")
        page = opened(site)
        for key in "jxjx":
            page.keyboard.press(key)
        expect(page.get_by_text("2 selected")).to_be_visible()
        page.keyboard.press("a")
        expect(page.get_by_label("To whom?")).to_be_focused()
        page.keyboard.press("Control+a")
        page.keyboard.type("zoe")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Assigned 2 leads.")
        for key in "jjjx":
            page.keyboard.press(key)
        page.keyboard.press("d")
        page.keyboard.type("not a fit")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Dismissed the lead.")
        expect(page.get_by_role("listitem").filter(has_text="created 3")).to_have_count(2)
        page.keyboard.press("j")
        page.keyboard.press("s")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Snoozed the lead.")
        expect(page.get_by_role("listitem").filter(has_text="created 3")).to_have_count(1)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.get_by_text("What to do")).to_be_visible()
        page.keyboard.press("c")
        page.keyboard.press("Tab")
        page.keyboard.type("left a message")
        page.get_by_role("button", name="Note the contact").press("Enter")
        expect(page.get_by_role("status")).to_have_text("Noted the contact.")

    def test_help_and_search_have_keys(self, site: Site, opened: Open) -> None:
        site.lead("ada", "ben")
        page = opened(site)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("ada")
        page.keyboard.press("Enter")
        expect(page.locator(".lead")).to_have_count(1)
        assert page.url == f"{site.url}/?q=ada"

    def test_help_and_search_have_keys_on_every_page(self, site: Site, opened: Open) -> None:
        site.lead("ada")
        page = opened(site)
        for path in ("/users", "/live", "/settings"):
            page.goto(site.url + path)
            page.keyboard.press("?")
            expect(page.get_by_role("dialog")).to_be_visible()
            page.keyboard.press("Escape")
        page.keyboard.press("/")
        expect(page.get_by_label("Search leads")).to_be_focused()
        page.goto(site.url + "/users")
        page.keyboard.press("/")
        expect(page.locator("#q")).to_be_focused()
        assert page.url == f"{site.url}/users"

    def test_the_focus_stays_in_the_list_after_a_change(self, site: Site, opened: Open) -> None:
        site.lead("ada", "ben", "cem")
        page = opened(site)
        for key in "jjxd":
            page.keyboard.press(key)
        page.keyboard.type("not a fit")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Dismissed the lead.")
        expect(page.locator(".lead").nth(1).locator("[data-open]")).to_be_focused()
        page.goto(site.url + "/")
        expect(page.locator(".lead").nth(1).locator("[data-open]")).not_to_be_focused()

    def test_without_scripts(self, site: Site, opened: Open) -> None:
        site.lead("ada")
        page = opened(site, java_script_enabled=False)
        page.get_by_label("Select Ada").check()
        page.get_by_text("Assign…").click()
        page.get_by_role("button", name="Assign", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("Assigned the lead.")

    def test_on_a_phone(self, site: Site, opened: Open) -> None:
        site.lead("ada")
        page = opened(site, viewport=NARROW)
        page.get_by_label("Select Ada").check()
        page.get_by_text("Snooze…").click()
        page.get_by_role("button", name="Snooze", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("Snoozed the lead.")


class TestMetrics:
    def test_from_a_role_to_who_is_behind_a_number(self, full_site: Site, opened: Open) -> None:
        page = opened(full_site)
        page.get_by_role("link", name="Metrics").click()
        page.get_by_role("link", name="Product").click()
        page.get_by_label("Horizon").select_option("7d")
        page.wait_for_url("**/figures?role=product&horizon=7d")
        page.get_by_role("link", name="PQLs who become customers").click()
        expect(page.get_by_role("link", name="Ada")).to_be_visible()
        page.get_by_role("link", name="Not counted").click()
        expect(page.get_by_text("Nobody.")).to_be_visible()
        page.go_back()
        page.go_back()
        expect(page.get_by_label("Horizon")).to_have_value("7d")


class TestAPartner:
    def test_claims_a_lead_and_notes_a_contact(self, opened: Open) -> None:
        route = """
[[route]]
name = "all"
assign = "partner:north"
"""
        with site_of(DEFINITIONS + route) as site:
            site.lead("ada")
            token = site.collector.keys.create("partner", partner="north").token
            page = opened(site, key=token)
            page.get_by_role("link", name="created 3").click()
            expect(page.locator("h1")).to_contain_text("•••@acme.example")
            page.get_by_role("button", name="Claim this lead").click()
            expect(page.get_by_role("complementary")).to_contain_text("ada@acme.example")
            page.get_by_text("Contacted…").click()
            page.get_by_role("button", name="Note the contact").click()
            expect(page.get_by_role("status")).to_have_text("Noted the contact.")
            page.get_by_role("link", name="Ledger").click()
            expect(page.get_by_text("Nothing won yet")).to_be_visible()
            assert serious(Axe(), page, WCAG) == []


class TestTheAddress:
    def test_keeps_the_filters_on_reload_and_back(self, full_site: Site, opened: Open) -> None:
        page = opened(full_site)
        page.get_by_label("Definition").select_option("set_up")
        page.wait_for_url("**/?definition=set_up")
        page.get_by_role("link", name="New").click()
        page.wait_for_url("**/?definition=set_up&state=new")
        page.reload()
        expect(page.get_by_label("Definition")).to_have_value("set_up")
        page.locator("[data-open]").first.click()
        page.go_back()
        expect(page.get_by_label("Definition")).to_have_value("set_up")
        expect(page.locator(".tabs [aria-current]")).to_contain_text("New")


class TestDefinitions:
    def test_are_edited_tried_and_published(self, site: Site, opened: Open) -> None:
        site.lead("ada")
        page = opened(site, "/editor")
        text = page.get_by_label("The definitions file")
        text.fill(DEFINITIONS.replace("gte = 3", "gtee = 3"))
        expect(page.get_by_role("heading", name="1 mistake")).to_be_visible()
        expect(page.locator(".underlay mark")).to_have_text("gtee")
        stale = page.get_by_text("This is how the text read before the mistake.")
        expect(stale).to_be_visible()
        page.locator(".place").click()
        assert page.evaluate("getSelection().toString()") == "gtee"
        text.fill(DEFINITIONS.replace("gte = 3", "gte = 4"))
        expect(page.get_by_text("at least 4")).to_be_visible()
        expect(stale).to_be_hidden()
        page.get_by_role("button", name="Dry run").click()
        expect(page.get_by_text("0 more, 1 fewer")).to_be_visible()
        page.get_by_label("Why do you change it?").fill("four, not three")
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_role("status")).to_have_text("Published. 1 definition changed.")
        page.get_by_role("link", name="Set up").click()
        expect(page.get_by_text("four, not three")).to_be_visible()

    def test_a_dry_run_on_a_phone_goes_to_its_result(self, site: Site, opened: Open) -> None:
        page = opened(site, "/editor", viewport=NARROW)
        text = page.get_by_label("The definitions file")
        text.fill(DEFINITIONS + "# a line\n" * 100)
        text.evaluate("each => { each.scrollTop = 600 }")
        page.get_by_role("button", name="Dry run").click()
        result = page.get_by_role("heading", name="What it would do")
        expect(result).to_be_in_viewport()
        expect(result).to_be_focused()
        assert text.evaluate("each => each.scrollTop") == 600

    def test_that_were_published_list_what_changed_in_sight(self, site: Site, opened: Open) -> None:
        site.collector.put_definitions(DEFINITIONS.replace("gte = 3", "gte = 4"))
        page = opened(site, "/definition?name=set_up", viewport=NARROW)
        box = page.locator(".diff").first
        expect(box.locator(".added")).to_contain_text("gte = 4")
        assert box.evaluate("each => each.scrollWidth <= each.clientWidth")


class TestLive:
    def test_stays_small_under_many_events(self, site: Site, opened: Open) -> None:
        page = opened(site, "/live")
        for n in range(10):
            site.send(*({"userId": f"u{i}", "event": f"event_{n}"} for i in range(50)))
        site.send({"userId": "last", "event": "the_last"})
        last = page.locator(".live li").first
        expect(last).to_contain_text("the_last", timeout=20_000)
        assert page.locator(".live li").count() <= 200
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("paused")).to_be_visible()


def paths_of(site: Site) -> list[str]:
    """Every page, for a lead and a user with a hostile name too."""
    from urllib.parse import quote

    from pequel_collector.ports import LeadFilter

    leads = [answer.lead.id for answer in site.collector.queries.pqls(LeadFilter(), 10).data]
    subjects = [f"/{kind}?id={quote(id_)}" for kind, id_ in (("user", "ada"), ("account", "acme"))]
    return [
        "/", "/?state=lost", "/activity", "/live", "/definitions", "/definition?name=set_up",
        "/near?name=set_up", "/editor",
        "/users", "/accounts", "/catalogue", "/settings", "/figures",
        "/figures?role=product&by=definition",
        "/figure?name=volume", "/alerts", "/routes", "/feature?name=project_created",
        f"/event?name={quote(HOSTILE)}", f"/user?id={quote(HOSTILE)}", *subjects,
        *(f"/leads/{id_}" for id_ in leads), f"/leads/{leads[0]}/proof", "/nothing",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_name_breaks_the_layout(full_site: Site, opened: Open, size: Any) -> None:
    page = opened(full_site, viewport=size)
    for path in paths_of(full_site)[:-1]:
        page.goto(full_site.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_every_page(full_site: Site, opened: Open, theme: str) -> None:
    """Axe finds no serious violation. Only the contrast depends on the theme."""
    page = opened(full_site, color_scheme=theme)
    only = {"type": "rule", "values": ["color-contrast"]} if theme == "dark" else WCAG
    axe, found = Axe(), []
    for path in paths_of(full_site)[:-1]:
        page.goto(full_site.url + path)
        found += [(path, each) for each in serious(axe, page, only)]
    page.context.clear_cookies()
    page.goto(full_site.url)
    assert found + [("login", each) for each in serious(axe, page, only)] == []


def test_axe_finds_what_is_wrong(full_site: Site, opened: Open) -> None:
    page = opened(full_site, "/users")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    assert {name for name, _ in serious(Axe(), page, WCAG)} >= {"color-contrast"}


def serious(axe: Axe, page: Page, only: dict[str, Any]) -> list[Any]:
    options = {"runOnly": only, "resultTypes": ["violations"]}
    violations = axe.run(page, options=options).response["violations"]
    return [
        (each["id"], each["nodes"][0]["html"][:200])
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]
