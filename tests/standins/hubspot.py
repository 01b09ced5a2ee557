"""A stand-in for one account of HubSpot: the part of its CRM API that Pequel uses.

    python tests/standins/hubspot.py --port 8400

With ``--webhook URL --secret SECRET`` it sends a signed webhook for a change that a person makes:
``POST /standin/change`` with ``{"deal": "1003", "property": "dealstage", "value": "closedwon"}``.

It keeps records in memory, checks tokens, properties and unique values, limits requests, and lets
the search lag behind, as https://developers.hubspot.com/docs documents it. It also answers
``GET /standin`` with all that it holds.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import RLock
from time import time
from typing import Any
from urllib.parse import unquote

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where a guide runs this file

from support.receivers import Reply, Taken

TOKEN = "pat-eu1-stand-in"
KINDS = ("contacts", "companies", "deals")
STAGES = (
    "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent", "closedwon",
    "closedlost",
)  # fmt: skip
PROPERTIES = {
    "contacts": {"email", "firstname", "lastname", "company", "phone", "country", "jobtitle"},
    "companies": {"name", "domain", "country", "numberofemployees"},
    "deals": {
        "dealname", "dealstage", "pipeline", "amount", "closedate", "hubspot_owner_id",
        "description",
    },
}  # fmt: skip
READ_ONLY = {"hs_object_id", "createdate", "lastmodifieddate"}
UNIQUE = {"contacts": {"email"}, "companies": set[str](), "deals": set[str]()}

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
BATCH = re.compile(r"/crm/v3/objects/(\w+)/batch/upsert")
SEARCH = re.compile(r"/crm/v3/objects/(\w+)/search")
OBJECTS = re.compile(r"/crm/v3/objects/(\w+)")
OBJECT = re.compile(r"/crm/v3/objects/(\w+)/([^/]+)")
PROPERTY = re.compile(r"/crm/v3/properties/(\w+)")
ASSOCIATION = re.compile(r"/crm/v4/objects/(\w+)/([^/]+)/associations/default/(\w+)/([^/]+)")


class Problem(Exception):
    """An error that HubSpot answers."""

    def __init__(self, status: int, category: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": "error", "message": message, "category": category, **more}
        self.headers: dict[str, str] = {}


class HubSpot:
    """The records of an account. ``limited`` requests are answered 429 first.

    The search knows a record only after ``index``, if ``lags`` is true. ``before`` is called with
    each request, and may answer it.
    """

    def __init__(self, *, lags: bool = True, limited: int = 0) -> None:
        self.lags, self.limited, self.limit_headers = lags, limited, {"Retry-After": "7"}
        self.policy = "TEN_SECONDLY_ROLLING"
        self.before: Callable[[Taken], Reply | None] = lambda _: None
        self.after: Callable[[Taken], Reply | None] = lambda _: None
        self.records: dict[str, dict[str, dict[str, str]]] = {kind: {} for kind in KINDS}
        self.archived: set[tuple[str, str]] = set()
        self.associations: set[tuple[str, str, str, str]] = set()
        self.properties = {kind: set(names) for kind, names in PROPERTIES.items()}
        self.unique = {kind: set(names) for kind, names in UNIQUE.items()}
        self.webhook: tuple[str, str] | None = None
        self._searchable: set[tuple[str, str]] = set()
        self._ids, self._lock = count(1001), RLock()

    def ready(self) -> HubSpot:
        """Add the properties that the guide asks for."""
        self.add_property("deals", "pequel_lead_id", is_unique=True)
        self.add_property("companies", "pequel_domain", is_unique=True)
        self.add_property("contacts", "pql_sentence")
        return self

    def add_property(self, kind: str, name: str, *, is_unique: bool = False) -> None:
        self.properties[kind].add(name)
        if is_unique:
            self.unique[kind].add(name)

    def index(self) -> None:
        """Let the search catch up."""
        self._searchable |= {(kind, id_) for kind in KINDS for id_ in self.live(kind)}

    def live(self, kind: str) -> dict[str, dict[str, str]]:
        """The records of a kind that are not archived, by id."""
        return {i: r for i, r in self.records[kind].items() if (kind, i) not in self.archived}

    # -- requests --------------------------------------------------------------------------

    def __call__(self, taken: Taken) -> Reply | None:
        with self._lock:
            if (early := self.before(taken)) is not None:
                return early
            answer = self._answer(taken)
            return self.after(taken) or answer

    def _answer(self, taken: Taken) -> Reply:
        try:
            self._check(taken)
            status, body = self._route(taken)
            return _reply(status, body)
        except Problem as problem:
            correlated = {**problem.body, "correlationId": "0c8f4d3e-5a53-4b6c-8a0e-3f1f8c1d2e90"}
            return _reply(problem.status, correlated, problem.headers)

    def _check(self, taken: Taken) -> None:
        if taken.path.startswith("/standin"):
            return
        if taken.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Problem(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication",
            )
        if self.limited:
            self.limited -= 1
            problem = Problem(
                429,
                "RATE_LIMITS",
                f"You have reached your {self.policy.lower()} limit.",
                errorType="RATE_LIMIT",
                policyName=self.policy,
            )
            problem.headers = dict(self.limit_headers)
            raise problem

    def _route(self, taken: Taken) -> tuple[int, Any]:
        path = taken.path.partition("?")[0]
        for method, pattern, handle in self._routes():
            if taken.method == method and (found := pattern.fullmatch(path)):
                names = [unquote(each) for each in found.groups()]
                return handle(*names, _json(taken) if taken.body else None)
        raise Problem(404, "OBJECT_NOT_FOUND", f"resource not found: {path}")

    def _routes(self) -> Iterator[tuple[str, re.Pattern[str], Callable[..., tuple[int, Any]]]]:
        yield "POST", BATCH, self._upsert
        yield "POST", SEARCH, self._search
        yield "POST", OBJECTS, self._create
        yield "PATCH", OBJECT, self._update
        yield "GET", OBJECT, lambda kind, id_, _: (200, self._shown(kind, self._live(kind, id_)))
        yield "DELETE", OBJECT, self._archive
        yield "POST", PROPERTY, self._new_property
        yield "PUT", ASSOCIATION, self._associate
        yield "GET", re.compile("/standin"), lambda _: (200, self.everything())
        yield "POST", re.compile("/standin/change"), self._change

    def everything(self) -> dict[str, Any]:
        """All records and associations."""
        of = {kind: list(self.live(kind).values()) for kind in KINDS}
        return {**of, "associations": sorted(self.associations)}

    # -- what they do ----------------------------------------------------------------------

    def _upsert(self, kind: str, body: Any) -> tuple[int, Any]:
        results = [self._upsert_one(kind, one) for one in body["inputs"]]
        return 200, {"status": "COMPLETE", "results": results}

    def _upsert_one(self, kind: str, one: Any) -> Any:
        key, value = one.get("idProperty", "hs_object_id"), one["id"]
        if key not in self.unique[_kind(kind)]:
            raise Problem(400, "VALIDATION_ERROR", f"Property {key} is not a unique property")
        given = {**one["properties"], key: value}
        found = self._with(kind, key, value)
        if found is None:
            return {**self._shown(kind, self._add(kind, given)), "new": True}
        self._set(kind, found, given)
        return {**self._shown(kind, found), "new": False}

    def _create(self, kind: str, body: Any) -> tuple[int, Any]:
        given = body["properties"]
        for key in self.unique[_kind(kind)] & given.keys():
            if (found := self._with(kind, key, given[key])) is not None:
                noun = kind.removesuffix("s").capitalize()
                raise Problem(409, "CONFLICT", f"{noun} already exists. Existing ID: {found}")
        return 201, self._shown(kind, self._add(kind, given))

    def _update(self, kind: str, id_: str, body: Any) -> tuple[int, Any]:
        self._set(kind, self._live(kind, id_), body["properties"])
        return 200, self._shown(kind, id_)

    def _archive(self, kind: str, id_: str, _: Any) -> tuple[int, Any]:
        self.archived.add((kind, self._live(kind, id_)))
        return 204, None

    def _search(self, kind: str, body: Any) -> tuple[int, Any]:
        [group] = body["filterGroups"]
        tests = [(each["propertyName"], each["value"]) for each in group["filters"]]
        found = [
            self._shown(kind, id_)
            for id_, record in self.live(_kind(kind)).items()
            if (not self.lags or (kind, id_) in self._searchable)
            and all(record.get(name) == value for name, value in tests)
        ]
        return 200, {"total": len(found), "results": found[: body.get("limit", 10)]}

    def _new_property(self, kind: str, body: Any) -> tuple[int, Any]:
        if body["name"] in self.properties[_kind(kind)]:
            message = f"A property named '{body['name']}' already exists."
            raise Problem(409, "OBJECT_ALREADY_EXISTS", message)
        self.add_property(kind, body["name"], is_unique=bool(body.get("hasUniqueValue")))
        return 201, body

    def _associate(self, kind: str, id_: str, other: str, target: str, _: Any) -> tuple[int, Any]:
        self.associations.add((kind, self._live(kind, id_), other, self._live(other, target)))
        return 200, {"status": "COMPLETE", "results": []}

    def _change(self, body: Any) -> tuple[int, Any]:
        """Change a deal as a person does, and send the webhook."""
        event = self.changed(body["deal"], body["property"], body["value"], time_now())
        return 200, self.send(event, time_now())

    def changed(self, deal: str, name: str, value: str, now: int) -> dict[str, Any]:
        """Change a deal as a person does; the event of it, which is to be sent."""
        self._set("deals", self._live("deals", deal), {name: value})
        return _event(deal, name, value, next(self._ids), now)

    def send(self, event: dict[str, Any], now: int) -> Any:
        """Send one event, signed at an instant; what the receiver answers."""
        if self.webhook is None:
            return {"sent": "no --webhook is given"}
        url, secret = self.webhook
        body, time_ = json.dumps([event]).encode(), str(now)
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Signature-v3": signature(secret, "POST", url, body, time_),
            "X-HubSpot-Request-Timestamp": time_,
        }
        try:
            answer = requests.post(url, body, headers=headers, timeout=40)
        except requests.RequestException as error:
            return {"sent": str(error)}
        return {"status": answer.status_code, "answer": answer.text}

    # -- the records -----------------------------------------------------------------------

    def _live(self, kind: str, id_: str) -> str:
        if id_ not in self.live(_kind(kind)):
            raise Problem(
                404, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric."
            )
        return id_

    def _with(self, kind: str, key: str, value: str) -> str | None:
        same = value.lower()
        records = self.live(_kind(kind)).items()
        return next((id_ for id_, each in records if each.get(key, "").lower() == same), None)

    def _add(self, kind: str, given: dict[str, str]) -> str:
        missing = [
            name for name in ("dealname", "dealstage") if kind == "deals" and not given.get(name)
        ]
        if missing:
            raise _not_valid(missing[0], "REQUIRED_FIELD", f'Property "{missing[0]}" is required')
        self._check_values(kind, given)
        id_ = str(next(self._ids))
        self.records[kind][id_] = {"hs_object_id": id_}
        self._set(kind, id_, given)
        return id_

    def _set(self, kind: str, id_: str, given: dict[str, str]) -> None:
        self._check_values(kind, given)
        self.records[kind][id_].update(given)

    def _check_values(self, kind: str, given: dict[str, str]) -> None:
        for name, value in given.items():
            if name in READ_ONLY:
                raise _not_valid(name, "READ_ONLY_VALUE", f'"{name}" is a read only property')
            if name not in self.properties[kind]:
                raise _not_valid(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
            if not isinstance(value, str) or len(value) > 65_536:
                raise _not_valid(name, "INVALID_STRING", f"{name} was not a valid string")
        if "email" in given and not EMAIL.fullmatch(given["email"]):
            raise _not_valid("email", "INVALID_EMAIL", f"Email address {given['email']} is invalid")
        if "dealstage" in given and given["dealstage"] not in STAGES:
            said = f"{given['dealstage']} was not one of the allowed options"
            raise _not_valid("dealstage", "INVALID_OPTION", said)

    def _shown(self, kind: str, id_: str) -> dict[str, Any]:
        return {"id": id_, "properties": dict(self.records[kind][id_]), "archived": False}


def _not_valid(name: str, error: str, message: str) -> Problem:
    each = {"isValid": False, "message": message, "error": error, "name": name}
    return Problem(400, "VALIDATION_ERROR", f"Property values were not valid: {json.dumps([each])}")


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise Problem(400, "VALIDATION_ERROR", f"Unable to infer object type from: {kind}")
    return kind


def _json(taken: Taken) -> Any:
    try:
        return json.loads(taken.body)
    except ValueError:
        raise Problem(400, "VALIDATION_ERROR", "Invalid input JSON") from None


def _reply(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    content = b"" if body is None else json.dumps(body).encode()
    return Reply(status, {"Content-Type": "application/json", **(headers or {})}, content)


def _event(deal: str, name: str, value: str, id_: int, now: int) -> dict[str, Any]:
    return {
        "eventId": id_, "subscriptionId": 138, "portalId": 33, "appId": 1160, "occurredAt": now,
        "subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": int(deal),
        "propertyName": name, "propertyValue": value, "changeSource": "CRM_UI",
        "sourceId": "userId:9",
    }  # fmt: skip


def signature(secret: str, method: str, url: str, body: bytes, time_: str) -> str:
    """A signature of version 3: the URL of a target has nothing to decode here."""
    text = b"".join((method.encode(), url.encode(), body, time_.encode()))
    return base64.b64encode(hmac.new(secret.encode(), text, "sha256").digest()).decode()


def time_now() -> int:
    """The time, in milliseconds since 1970."""
    return int(time() * 1_000)


def _main() -> None:
    from run import arguments, serve

    parser = arguments("HubSpot")
    parser.add_argument("--webhook", help="where webhooks go")
    parser.add_argument("--secret", default="secret", help="the client secret of the app")
    given = parser.parse_args()
    hubspot = HubSpot(lags=False)
    hubspot.webhook = (given.webhook, given.secret) if given.webhook else None
    serve(hubspot, "HubSpot", given.port)


if __name__ == "__main__":
    _main()
