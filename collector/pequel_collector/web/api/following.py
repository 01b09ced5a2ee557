"""``GET /v1/events/stream``: what arrives, as it arrives.

A request may wait for something to arrive. It gives its concurrency slot back first, because the
body is made after the application has returned; see ``server.concurrency``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import Blueprint, Response, request

from ...app.arrival_watch import ArrivalWatch
from ...app.bootstrap import Collector
from ...app.likely_names import with_likely_names
from ...errors import BadRequest, Unavailable
from ...model import JSON
from ...queries.events.following import Following, FollowPage
from ...queries.events.wanted import FollowFilter
from ...rules.language.definition import Catalogue
from ..answers import schemas
from ..asked import arguments
from ..json import encode, json_response
from ..openapi.operation import describe, query_page
from ..require_reader import require_reader

_FOLLOW = arguments.FollowArguments()
_GET = query_page(
    "What arrives: events, refused events and leads",
    "events",
    schemas.FOLLOWED,
    arguments=_FOLLOW,
    errors=(429,),
)


def blueprint(collector: Collector) -> Blueprint:
    """Following, over a collector."""
    bp = Blueprint("following", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    following, watch = Following(collector.queries), collector.arrivals

    @bp.get("/events/stream")
    @describe(_GET)
    def stream() -> Response:
        given = arguments.read(request, _FOLLOW)
        wanted = FollowFilter(given.get("user"), given.get("event"))
        limit, seconds = given["limit"], given["wait"]
        page = _first(following, wanted, limit, given["after"], given.get("last"))
        if page.data or not seconds:
            return json_response(_json(page, collector.catalogue))
        leave = watch.enter()
        pages = _awaited(following, watch, page, wanted, limit, seconds, leave)
        body = (encode(_json(page, collector.catalogue)) for page in pages)
        response = Response(body, mimetype="application/json")
        response.call_on_close(leave)  # a client that is gone may have taken nothing of the body
        return response

    return bp


def _awaited(
    following: Following,
    watch: ArrivalWatch,
    page: FollowPage,
    wanted: FollowFilter,
    limit: int,
    seconds: int,
    leave: Callable[[], None],
) -> Iterator[FollowPage]:
    """The first page that is not empty, or the empty one at the end of the time."""
    until = watch.until(seconds)
    try:
        while not page.data and watch.wait(page.next.number, until):
            page = following.page(wanted, limit, page.next)
    except Unavailable:
        pass  # the status is sent already; the next request gets the error
    finally:
        leave()
    yield page


def _first(
    following: Following, wanted: FollowFilter, limit: int, after: str | None, last: int | None
) -> FollowPage:
    """The page at a place, or the last items. Raises BadRequest for both."""
    if last is None:
        return following.page(wanted, limit, following.place(wanted, after))
    if after is not None:
        raise BadRequest(
            "last: found it together with after, expected one of the two",
            "bad_parameter",
            field="last",
        )
    return following.latest(wanted, last)


def _json(page: FollowPage, catalogue: Catalogue) -> dict[str, JSON]:
    data = schemas.FOLLOWED.dump(with_likely_names(page.data, catalogue), many=True)
    return {"data": data, "next_cursor": page.next_cursor}
