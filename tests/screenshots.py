"""Pictures of the console, for the documentation: ``make screenshots``.

They show two weeks of the demo's product, at a fixed time, so that pictures change with the pages
only. Each is stored with a palette of 160 colours, which keeps it small.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.cli.demo.collector import DEFINITIONS
from pequel_collector.cli.demo.product import DAYS, Taskboard
from pequel_collector.config import Settings
from pequel_collector.ports import LeadFilter
from pequel_collector.queries.lead_tests import LeadTests
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from pequel_collector.web.asked.lead_body import lead_change

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
TODAY = datetime(2026, 3, 16, tzinfo=timezone.utc)
AT = int((TODAY + timedelta(hours=8, minutes=56)).timestamp() * 1000)
SIZES = {1440: 720, 390: 844}
COLOURS = 160


class Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_request(self, *_: Any) -> None:
        """Nothing."""


class Clock:
    """The time, which stands still unless somebody moves it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@contextmanager
def served() -> Iterator[tuple[Collector, str]]:
    """The demo's product after two weeks, and where it answers."""
    settings = Settings(
        database="sqlite://", write_key="pk_w_demo", read_key="pk_r_demo", admin_key="pk_a_demo"
    )
    clock = Clock(AT)
    catalogue = read_catalogue(DEFINITIONS.read_text("utf-8"))
    with closing(open_collector(settings, catalogue, clock)) as collector:
        server = make_server("127.0.0.1", 0, create_app(collector), True, 1, Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.port}"
        history(url, clock)
        tell(url, clock)
        work(collector, clock)
        yield collector, url
        collector.arrivals.close()
        server.shutdown()
        server.server_close()


def tell(url: str, clock: Clock) -> None:
    """Send what happens, each day on its day."""
    with closing(Taskboard("pk_w_demo", url, TODAY)) as taskboard:
        for day in range(1, DAYS + 1):
            clock.now = AT - (DAYS + 1 - day) * 86_400_000 + 4 * 3_600_000
            taskboard.live(day)
        clock.now = AT - 40 * 60_000
        taskboard.raise_hand("gus")
        clock.now = AT


def history(url: str, clock: Clock) -> None:
    """The weeks before: each week a few people sign up at small companies, and some buy."""
    for number, (name, company, employees, country) in enumerate(BEFORE):
        user, start = name.split()[0].lower(), AT - (76 - 2 * number) * 86_400_000
        events = list(_life(user, name, company, employees, country, number))
        for day in sorted({day for day, _ in events}):
            clock.now = start + day * 86_400_000 + number * 1_234_567 % 20_000_000
            batch = [event for at, event in events if at == day]
            answer = requests.post(
                f"{url}/v1/batch", json={"batch": batch}, auth=("pk_w_demo", ""), timeout=10
            )
            answer.raise_for_status()


BEFORE = [
    ("Lena Hoffmann", "Nordwind", 38, "DE"), ("Paul Martin", "Atelier Lumen", 12, "FR"),
    ("Aisha Khan", "Brightpath", 210, "GB"), ("Jonas Berg", "Fjordtech", 64, "NO"),
    ("Carla Gomez", "Verano", 25, "ES"), ("Emil Kowalski", "Pixelwerk", 80, "PL"),
    ("Noor Haddad", "Cedar Labs", 45, "NL"), ("Oscar Lindqvist", "Lagom", 150, "SE"),
    ("Priya Nair", "Tideway", 1300, "GB"), ("Marco Bianchi", "Officina", 18, "IT"),
    ("Yuki Tanaka", "Kumo", 95, "JP"), ("Sofia Almeida", "Mar Azul", 33, "PT"),
    ("Tomas Novotny", "Kvark", 27, "CZ"), ("Greta Keller", "Alpina", 410, "CH"),
    ("Liam Walsh", "Harbourside", 52, "IE"), ("Zoe Papadaki", "Helios", 70, "GR"),
    ("Hugo Lefevre", "Quai Nord", 140, "FR"), ("Nina Petrova", "Sever", 88, "BG"),
    ("Ruben Silva", "Campo Largo", 36, "BR"), ("Maya Cohen", "Oasis", 240, "IL"),
    ("Felix Bauer", "Donau", 19, "AT"), ("Ines Duarte", "Lisbonne", 61, "PT"),
    ("Viktor Holm", "Skog", 125, "SE"), ("Clara Jensen", "Havn", 47, "DK"),
]  # fmt: skip
"""Who came in the weeks before, with their company."""


def _life(
    user: str, name: str, company: str, employees: int, country: str, number: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What somebody does, each with the day after their first."""
    account = company.lower().replace(" ", "-")
    traits = {"name": name, "email": f"{user}@{account}.example", "role": "admin"}
    group = {"name": company, "employees": employees, "country": country, "plan": "free"}
    yield 0, {"type": "page", "anonymousId": f"anon-{user}", "name": "Pricing"}
    yield 0, {"type": "page", "anonymousId": f"anon-visitor-{number}", "name": "Home"}
    yield 0, {"type": "identify", "userId": user, "anonymousId": f"anon-{user}", "traits": traits}
    yield 0, {"type": "group", "userId": user, "groupId": account, "traits": group}
    yield 0, _track(user, "signed_up")
    for project in range(3 if number % 3 else 1):
        yield 1 + project, _track(user, "project_created", project_id=f"{account}-{project}")
        yield 1 + project, _track(user, "task_completed")
    for kind in ("slack", "github")[: 2 if number % 4 != 1 else 1]:
        yield 3, _track(user, "integration_connected", kind=kind)
    if number in BUYS:
        yield BUYS[number], _track(user, "subscription_started", plan="team", **PRICE)


BUYS = {2: 9, 4: 12, 8: 20, 10: 15, 14: 11, 16: 14}
"""Who of them buys, and on which day."""
PRICE = {"mrr": 240, "currency": "EUR", "term_months": 12}


def _track(user: str, event: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": event, "properties": properties}


def work(collector: Collector, clock: Clock) -> None:
    """What the sales team has done until now: all but what is new is contacted or closed."""
    leads = [
        a.lead for a in collector.queries.pqls(LeadFilter(state="open", sort="marked_at"), 100).data
    ]
    for number, lead in enumerate(leads[:-7]):
        clock.now = min(lead.marked_at + (5 + 17 * (number % 4)) * 3_600_000, AT)
        said = CLOSED.get(number, {"contact": {"channel": "email"}})
        collector.intake.change(lead.id, lead_change(said, clock.now, lead.owner))
    clock.now = AT - 2 * 86_400_000
    note = {"contact": {"channel": "call", "note": "Wants a price for ten seats"}}
    [habit] = [lead for lead in leads if lead.definition == "habit"][-1:]
    collector.intake.change(habit.id, lead_change(note, clock.now, habit.owner))
    clock.now = AT


CLOSED = {
    3: {"state": "dismissed", "reason": "Not a fit"},
    6: {"state": "lost", "reason": "Took another tool"},
}
"""What the team has closed, by the number of the lead."""


def pages_of(collector: Collector) -> dict[str, str]:
    """The pages that are pictured, by name."""
    wanted = LeadFilter(definition="set_up")
    ada = LeadTests(q="ada")
    [answer] = collector.queries.pqls(wanted, 1, None, ada).data
    return {
        "leads": "/",
        "lead": f"/leads/{answer.lead.id}",
        "live": "/live",
        "definition": "/definition?name=set_up",
        "editor": "/editor",
        "metrics": "/figures?role=marketing",
        "settings": "/routes",
    }


def save(page: Page, name: str) -> None:
    """A picture of what a page shows."""
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    IMAGES.mkdir(exist_ok=True)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Make all pictures, or those whose names are given."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("chromium is not installed")
    with served() as (collector, url), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        pages = pages_of(collector)
        names = sys.argv[1:] or list(pages)
        for theme in ("light", "dark"):
            for width, height in SIZES.items():
                options: dict[str, Any] = {"color_scheme": theme, "timezone_id": "UTC"}
                context = browser.new_context(
                    viewport={"width": width, "height": height}, locale="en-GB", **options
                )
                page = context.new_page()
                page.goto(url)
                page.get_by_label("Key").fill("pk_a_demo")
                page.get_by_label("Your name").fill("Mia")
                page.get_by_role("button", name="Log in").click()
                for name in names:
                    page.goto(url + pages[name])
                    page.wait_for_timeout(600)
                    save(page, f"{name}-{theme}-{width}")
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
