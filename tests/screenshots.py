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

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.cli.demo.collector import DEFINITIONS
from pequel_collector.cli.demo.product import DAYS, Taskboard
from pequel_collector.config import Settings
from pequel_collector.ports import LeadFilter
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.api.lead_body import lead_change
from pequel_collector.web.app import create_app

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


def work(collector: Collector, clock: Clock) -> None:
    """What the sales team has done until now."""
    leads = {a.lead.definition: a.lead.id for a in collector.queries.pqls(LeadFilter(), 20).data}
    clock.now = AT - 2 * 86_400_000
    change = lead_change({"state": "assigned", "owner": "Mia"}, clock.now, "Mia")
    collector.intake.change(leads["team_spread"], change)
    note = {"contact": {"channel": "email", "note": "Sent the team plan, asks for a call"}}
    collector.intake.change(leads["habit"], lead_change(note, clock.now, "Ben"))
    clock.now = AT


def pages_of(collector: Collector) -> dict[str, str]:
    """The pages that are pictured, by name."""
    wanted = LeadFilter(definition="set_up")
    [answer] = collector.queries.pqls(wanted, 1).data
    return {
        "leads": "/",
        "lead": f"/leads/{answer.lead.id}",
        "live": "/live",
        "editor": "/editor",
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
