"""What every page has: who looks, the policy, the frame around it, and errors as pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, current_app, g, redirect, request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ... import __version__
from ...access.keys import Scope, kinds_with
from ...access.sessions import IDLE, Sessions, Viewer
from ...app.bootstrap import Collector
from ...errors import Forbidden, PequelError, TooLarge
from ...wire.ids import Ids
from .. import errors
from ..paths import require_utf8
from . import forms, interrupted, words
from .arrivals import Latest
from .forms import form
from .throttle import Throttle

COOKIE = "pequel_session"
NOTICE = "pequel_notice"
FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field

MAX_FORM = 2_000_000
"""Bytes of a form. The longest holds a definitions file."""

MAX_LOGIN = 65_536
"""Bytes of a form of somebody who is not logged in."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
STATIC = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

View = Callable[..., Any]


class Place(NamedTuple):
    """A page in the navigation, and the scope that it needs."""

    endpoint: str
    name: str
    scope: Scope = "read"


PLACES = (
    Place("console.inbox", "Leads"),
    Place("console.live", "Live"),
    Place("console.definitions", "Definitions"),
    Place("console.figures", "Metrics"),
    Place("console.users", "Users"),
    Place("console.accounts", "Accounts"),
    Place("console.catalogue", "Catalogue"),
    Place("console.settings", "Settings"),
)

PARTNER_PLACES = (
    Place("console.inbox", "Leads", "leads"),
    Place("console.ledger", "Ledger", "leads"),
    Place("console.definitions", "Definitions", "leads"),
)
"""What a partner has."""

NOTICES = {
    "claimed": "The lead is yours.",
    "redelivered": "Sending {0} again.",
    "changed": "Changed {0}.",
    "assigned": "Assigned {0}.",
    "contacted": "Noted the contact.",
    "snoozed": "Snoozed {0}.",
    "dismissed": "Dismissed {0}.",
    "reopened": "Reopened {0}.",
    "won": "Won {0}.",
    "lost": "Marked {0} as lost.",
    "saved": "Saved the view.",
    "removed": "Removed the view.",
    "revoked": "Revoked the key.",
    "published": "Published. {0} changed.",
    "revised": "Published. No version changed, because {0} {1} not decide who qualifies.",
    "rewritten": "Published. Only comments or the order changed.",
    "unchanged": "Nothing changed: these definitions are in force already.",
    "sent": "Sent a test event.",
}
"""What a page says after a change. Only these words can come from a cookie."""


class Console:
    """The collector as the pages use it."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.sessions = Sessions(collector.store, collector.keys, collector.clock)
        self.throttle = Throttle(monotonic)
        self.latest = Latest(collector.store, monotonic)
        self.new_id = Ids(collector.clock)
        self.assets = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir())}
        self._versions = {name: sha256(data).hexdigest()[:12] for name, data in self.assets.items()}
        self._templates = Environment(
            loader=PackageLoader("pequel_collector.web.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= words.FILTERS | {"title_of": words.title, "query": query_of}
        self._templates.globals |= words.FUNCTIONS | forms.FUNCTIONS
        self._templates.globals |= {"url": url, "asset": self.asset}

    @property
    def parts(self) -> Mapping[str, Mapping[str, str]]:
        """The leaves of each definition in force as phrases, by their exact form."""
        return self.collector.ingest.evaluators.parts

    def asset(self, name: str) -> str:
        """The address of a file of the console, which changes with its content."""
        return url("console.asset", name=name, v=self._versions[name])

    def render(self, template: str, **values: Any) -> str:
        """A template with values, and with what every page knows."""
        now = self.collector.clock()
        viewer: Viewer | None = g.get("viewer")
        known = {
            "now": now,
            "viewer": viewer,
            "places": places_of(viewer),
            "here": request.endpoint,
            "address": address(),
            "when": lambda time: words.when(time, now),
            "csrf": viewer.form_token if viewer else "",
            "form_token": _form_token_field(viewer),
            "notice": None,
            "mistake": forms.mistake(),
            "version": __version__,
        }
        return self._templates.get_template(template).render(**known | values)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page."""
        html = self.render(template, **{"notice": _notice(), "status": status} | values)
        return Response(html.encode("utf-8", "replace"), status, mimetype="text/html")

    def look(self) -> None:
        """Find out who sends this request."""
        token = request.cookies.get(COOKIE)
        g.viewer = self.sessions.find(token) if token else None


def places_of(viewer: Viewer | None) -> list[Place]:
    """The pages in the navigation of somebody."""
    if viewer is None:
        return []
    places = PLACES if viewer.key.partner is None else PARTNER_PLACES
    return [place for place in places if viewer.may(place.scope)]


def url(endpoint: str, **values: Any) -> str:
    """The address of a page below the root of the application. Ids of any sort can be values."""
    path = request.root_path
    adapter = current_app.url_map.bind("")
    rule = next(iter(current_app.url_map.iter_rules(endpoint)))
    inside = {name: values.pop(name) for name in rule.arguments if name in values}
    query = query_of(values)
    return path + adapter.build(endpoint, inside) + (f"?{query}" if query else "")


def query_of(values: Mapping[str, Any]) -> str:
    """Values as the query of an address, without those that are None."""
    return urlencode({n: v for n, v in values.items() if v is not None}, errors="replace")


def address() -> str:
    """The address of this page, with its query, below the origin."""
    query = request.query_string.decode("ascii", "replace")
    return request.root_path + request.path + (f"?{query}" if query else "")


def local(target: str | None, otherwise: str) -> str:
    """An address of this origin; another one is replaced."""
    text = target or ""
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_local else otherwise


def viewer() -> Viewer:
    """Who looks at a page that needs somebody."""
    found: Viewer = g.viewer
    return found


def needs(scope: Scope) -> Callable[[View], View]:
    """A page, or a form, for those whose key has a scope."""

    def wrap(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **values: Any) -> Any:
            _require(viewer(), scope)
            return view(*args, **values)

        checked.needed = (scope,)  # type: ignore[attr-defined]  # a mark on the function
        return checked

    return wrap


def page_for(scope: Scope) -> Callable[[View], View]:
    """A page that takes less than a key which may read everything."""

    def wrap(view: View) -> View:
        view.scope = scope  # type: ignore[attr-defined]  # a mark on the function
        return view

    return wrap


def public(view: View) -> View:
    """A page for those who are not logged in."""
    view.is_public = True  # type: ignore[attr-defined]  # a mark on the function
    return view


def done(target: str, notice: str = "", *values: object) -> Response:
    """Go to a page after a change, which says what was done."""
    response = redirect(target, 303)
    if notice:
        _set_cookie(response, NOTICE, "|".join([notice, *map(str, values)]), 60)
    assert isinstance(response, Response)  # noqa: S101 - Flask's redirect answers with its own
    return response


def log_in(response: Response, token: str) -> Response:
    """The response, with the token of a session."""
    _set_cookie(response, COOKIE, token, IDLE // 1000)
    return response


def log_out(response: Response) -> Response:
    """The response, after which the browser has no session."""
    response.delete_cookie(COOKIE, path=request.root_path or "/", samesite="Lax", httponly=True)
    return response


def install(bp: Blueprint, console: Console) -> None:
    """Check who sends each request, and give each page its headers."""

    @bp.before_request
    def check() -> Response | None:
        return _check(console)

    @bp.errorhandler(Exception)
    def show(error: Exception) -> Response:
        return error_page(console, error)

    @bp.app_errorhandler(404)
    def not_found(error: Exception) -> Response:
        if not is_for_people():
            return errors.handle(error)
        return add_headers(error_page(console, error))

    bp.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """A response with the policy, and with the cookies that change."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    found: Viewer | None = g.get("viewer")
    if found and found.new_token and "Set-Cookie" not in response.headers:
        log_in(response, found.new_token)
    if g.get("notice_shown"):
        response.delete_cookie(NOTICE, path=request.root_path or "/")
    return response


def _check(console: Console) -> Response | None:
    """Let a request pass that may be answered; the form for a key instead of a page."""
    require_utf8(request)
    console.look()
    view = current_app.view_functions[request.endpoint or ""]
    is_public = getattr(view, "is_public", False)
    if request.method == "POST":
        is_whole = _read_form(is_public)
        _require_own_page(g.viewer)
        if g.viewer is None and not is_public:
            return _ended_page(console, interrupted.refused() if is_whole else None)
    if g.viewer is None and not is_public:
        return login_page(console, ended=interrupted.ENDED if COOKIE in request.cookies else "")
    if g.viewer is not None and not is_public:
        _require(g.viewer, getattr(view, "scope", "read"))
    return None


def _read_form(is_public: bool) -> bool:
    """Read the form; False for one that is too long for somebody who is not logged in."""
    try:
        g.form = forms.read_form(MAX_FORM if g.viewer else MAX_LOGIN)
    except TooLarge:
        if g.viewer or is_public:
            raise
        return False
    return True


def _ended_page(console: Console, kept: interrupted.Kept | None) -> Response:
    """The form for a key, for somebody whose session ended before they sent a form."""
    what = interrupted.IS_LOST if kept is None else interrupted.COMES_BACK
    return login_page(console, kept=kept, ended=f"{interrupted.ENDED} {what}")


def _require(viewer: Viewer, scope: Scope) -> None:
    """Raises Forbidden for a session whose key has not this scope."""
    if not viewer.may(scope):
        kinds = " or ".join(kinds_with(scope))
        raise Forbidden(f"this needs a session of the kind {kinds}, yours is {viewer.key.kind}")


def is_for_people() -> bool:
    """Whether a browser shows the answer to a person, not to a program."""
    is_page = "text/html" in request.headers.get("Accept", "")
    return is_page and request.method == "GET" and not request.path.startswith("/v1")


def login_page(
    console: Console,
    wrong: str = "",
    status: int | None = None,
    kept: interrupted.Kept | None = None,
    ended: str = "",
) -> Response:
    """The form for a key. At the root it is the page; elsewhere it stands for one that needs it.

    ``kept`` is a form that comes back after the login, and ``ended`` says that a session has ended.
    """
    if status is None:
        status = 200 if request.path == "/" else 401
    asked = address() if request.method == "GET" else url("console.inbox")
    target = local(form().get("next"), asked)
    name = form().get("name", "") if request.endpoint == "console.login" else ""
    said = {"wrong": wrong, "ended": ended}
    return console.page("login.html", status, next=target, name=name, kept=kept, **said)


def error_page(console: Console, error: Exception) -> Response:
    """An error as a page. It shows what the API would say, and nothing from inside."""
    problem = errors.problem_of(error)
    status = problem.status
    if status == 500:
        current_app.logger.error("%s %s failed", request.method, request.path, exc_info=error)
    is_ours = isinstance(error, PequelError)
    message = words.first_up(problem.message) if is_ours or status != 404 else ""
    try:
        response = console.page("error.html", status, message=message)
    except PequelError:  # the frame asks the store, and the store may be the trouble
        response = Response(problem.message, status, mimetype="text/plain")
    if status in (429, 503):
        response.headers["Retry-After"] = str(problem.details.get("retry_after", 2))
    return response


def _require_own_page(viewer: Viewer | None) -> None:
    """Raises Forbidden for a form that does not come from a page of the session."""
    if not _is_from_here():
        raise Forbidden("this form was sent from a page of another site")
    sent = request.headers.get("X-Form-Token") or form().get(FORM_TOKEN, "")
    if viewer is not None and not viewer.sent(sent):
        raise Forbidden("this form is too old, or not of this session: load the page again")


def _is_from_here() -> bool:
    """Whether a page of this site sent the form, as far as the browser says it.

    Over plain HTTP a browser says only the origin, and the proxy in front may speak TLS to it.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or _host_of(origin) == request.host.lower()


def _host_of(origin: str) -> str:
    """The host of an origin, with its port; nothing for an origin that is hidden, or none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _form_token_field(viewer: Viewer | None) -> Markup:
    if viewer is None:
        return Markup("")
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        FORM_TOKEN, viewer.form_token
    )


def _notice() -> str | None:
    """What was done before this page, from the cookie."""
    name, *values = request.cookies.get(NOTICE, "").split("|")
    if name not in NOTICES:
        return None
    g.notice_shown = True
    text = NOTICES[name]
    return text.format(*(value[:40] for value in [*values, ""]))


def _set_cookie(response: Any, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=request.root_path or "/",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
