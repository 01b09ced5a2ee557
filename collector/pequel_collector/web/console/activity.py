"""What somebody did with leads: the ledger by who did it, newest first."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...queries.queries import MAX_LOOKED_BACK
from ..asked import arguments
from .frame import Console, viewer

PAGE = 50
"""Entries of a page."""

ME = "me"
"""Whoever looks."""


class ActivityArguments(arguments.NoArguments):
    """Who did it, by name, and where the list goes on."""

    actor = arguments.Text(load_default=ME)
    cursor = arguments.Cursor(load_default=None)


_ACTIVITY = ActivityArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""

    @bp.get("/activity")
    def activity() -> Response:
        read = arguments.read(request, _ACTIVITY)
        actor = viewer().actor if read["actor"] == ME else read["actor"]
        page = console.collector.queries.changes_by(actor, PAGE, read["cursor"])
        return console.page(
            "activity.html",
            actor=actor,
            is_own=actor == viewer().actor,
            page=page,
            is_short=page.next_cursor is not None and len(page.data) < PAGE,
            given={"actor": read["actor"]},
            is_first=read["cursor"] is None,
            looked_back=MAX_LOOKED_BACK,
        )
