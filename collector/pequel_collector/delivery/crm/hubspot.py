"""HubSpot: a contact, a company and a deal for each lead, by the CRM API v3 and v4.

Each write is an upsert by a property that HubSpot keeps unique, so an attempt may be made again at
any point. Errors: https://developers.hubspot.com/docs/api-reference/error-handling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ...model import JSON
from ...rules.language.addresses import domain_of, normal_domain
from ...rules.language.crm import FieldMap, Source, Sources
from ...rules.language.personal import personal_domains
from ..http import Answer, Http
from ..records import Delivery, Misconfigured, Refused, Result, Retry, Sender, Sent
from ..variables import Environment, Options, required
from ..verdict import described, retry_after
from ..wording import who
from .calls import Calls, Failed, in_short, json_of
from .changes import amount_of, owner_of, stage_of
from .values import first, text_of, texts_of

API = "https://api.hubapi.com"
ID_PROPERTY, COMPANY_ID_PROPERTY = "pequel_lead_id", "pequel_domain"
REFERENCE = "hubspot:deals:"
"""How the reference to a deal begins; its id follows."""

EMAIL: Sources = (Source(("traits", "email")),)
DOMAIN: Sources = (Source(("account_traits", "domain")), Source(("traits", "domain")))
NO_FIELDS: FieldMap = {}
OBJECTS = "/crm/v3/objects/"

LOCKED, MIGRATING = 423, 477
"""Statuses of HubSpot that pass: a record that is locked, an account that moves."""

WAITS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3_600.0}
"""Seconds to wait by the policy of a 429 that has no ``Retry-After``."""


class HubSpotSender:
    """Writes leads to one account of HubSpot."""

    def __init__(self, options: Options, token: str) -> None:
        self._options = options
        self._base = str(options.get("url", API)).rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}

    def send(self, delivery: Delivery, http: Http) -> Result:
        calls = Calls(http, self._base, self._headers)
        try:
            return self._write(calls, delivery)
        except Failed as error:
            return error.result

    def _write(self, calls: Calls, delivery: Delivery) -> Result:
        contact = self._contact(calls, delivery)
        known = (delivery.reference or "").removeprefix(REFERENCE)
        if known:
            return self._update(calls, delivery, known)
        company = self._company(calls, delivery)
        deal = self._deal(calls, delivery)
        _associate(calls, {"contacts": contact, "companies": company, "deals": deal})
        return Sent(f"deal {deal}", REFERENCE + deal)

    # -- the records -----------------------------------------------------------------------

    def _contact(self, calls: Calls, delivery: Delivery) -> str | None:
        """The contact of the lead's person, updated; None without an e-mail address."""
        email = _text(self._options.get("email", EMAIL), delivery)
        if "@" not in email:
            return None
        properties = texts_of(self._options.get("properties", NO_FIELDS), delivery)
        properties["email"] = email
        return _upsert(calls, "contacts", "email", email, properties)

    def _company(self, calls: Calls, delivery: Delivery) -> str | None:
        """The company of the lead's domain; None without one, or at a free mail provider."""
        domain = self._domain(delivery)
        if domain is None or not self._options.get("companies", True):
            return None
        properties = texts_of(self._options.get("company_properties", NO_FIELDS), delivery)
        if (found := _find_company(calls, domain)) is not None:
            if properties:
                _ok(calls.call("PATCH", f"{OBJECTS}companies/{found}", {"properties": properties}))
            return found
        key = self._options.get("company_id_property", COMPANY_ID_PROPERTY)
        name = str(delivery.lead.get("account") or domain)
        fresh = {"name": name, **properties, "domain": domain, key: domain}
        return _upsert(calls, "companies", key, domain, fresh)

    def _domain(self, delivery: Delivery) -> str | None:
        stated = _text(self._options.get("domain", DOMAIN), delivery)
        domain = normal_domain(stated) if stated else None
        if domain is None:
            domain = domain_of(_text(self._options.get("email", EMAIL), delivery))
        return None if domain is None or domain in personal_domains(frozenset()) else domain

    def _deal(self, calls: Calls, delivery: Delivery) -> str:
        """The deal of the lead, made if there is none with its id."""
        key, lead = self._options.get("id_property", ID_PROPERTY), str(delivery.lead["id"])
        fresh = {"dealname": _deal_name(delivery), **self._deal_properties(delivery, is_new=True)}
        if pipeline := self._options.get("pipeline"):
            fresh["pipeline"] = pipeline
        return _upsert(calls, "deals", key, lead, {**fresh, key: lead})

    def _update(self, calls: Calls, delivery: Delivery, deal: str) -> Result:
        """Update a deal that is known. One that somebody has deleted stays deleted."""
        properties = self._deal_properties(delivery, is_new=False)
        reference = REFERENCE + deal
        if not properties:
            return Sent(f"deal {deal}: nothing to change", reference)
        path = f"{OBJECTS}deals/{quote(deal, safe='')}"
        answer = calls.call("PATCH", path, {"properties": properties})
        if answer.status == 404:
            return Sent(f"deal {deal} was deleted in HubSpot, and stays deleted", reference)
        _ok(answer)
        return Sent(f"deal {deal}", reference)

    def _deal_properties(self, delivery: Delivery, *, is_new: bool) -> dict[str, str]:
        options = self._options
        own = {
            "dealstage": stage_of(delivery, options["stages"], is_new=is_new),
            "hubspot_owner_id": owner_of(delivery, options.get("owners", {}), is_new=is_new),
            "amount": amount_of(delivery, is_new=is_new),
        }
        given = texts_of(options.get("deal_properties", NO_FIELDS), delivery)
        return given | {name: text for name, text in own.items() if text is not None}


def make(options: Options, environment: Environment) -> Sender:
    """The sender of an alert. Raises Misconfigured."""
    name = options["token_env"]
    token = required(environment, name)
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise Misconfigured(f"the environment variable {name} is no token of HubSpot")
    return HubSpotSender(options, token)


# -- requests --------------------------------------------------------------------------------


def _upsert(calls: Calls, kind: str, key: str, value: str, properties: Mapping[str, str]) -> str:
    """Create or update the record with a value of a unique property; its id."""
    body: JSON = {"inputs": [{"idProperty": key, "id": value, "properties": dict(properties)}]}
    found = _ok(calls.call("POST", f"{OBJECTS}{kind}/batch/upsert", body))
    match found:
        case {"results": [{"id": str(record)}, *_]}:
            return record
        case {"errors": [{"message": str(said)}, *_]}:
            raise Failed(Refused(f"{kind}: {in_short(said)}"))
        case _:
            raise Failed(Retry(f"{kind}: HubSpot answered without the id of the record"))


def _find_company(calls: Calls, domain: str) -> str | None:
    """The oldest company with a domain, as far as the search knows."""
    body: JSON = {
        "filterGroups": [
            {"filters": [{"propertyName": "domain", "operator": "EQ", "value": domain}]}
        ],
        "sorts": [{"propertyName": "createdate", "direction": "ASCENDING"}],
        "properties": ["domain"],
        "limit": 1,
    }
    match _ok(calls.call("POST", f"{OBJECTS}companies/search", body)):
        case {"results": [{"id": str(record)}, *_]}:
            return record
        case _:
            return None


def _associate(calls: Calls, records: Mapping[str, str | None]) -> None:
    """Associate each two records that there are. HubSpot takes it again without a change."""
    found = [(kind, record) for kind, record in records.items() if record is not None]
    for place, (kind, record) in enumerate(found):
        for other, target in found[place + 1 :]:
            of = f"{kind}/{quote(record, safe='')}/associations/default/{other}"
            _ok(calls.call("PUT", f"/crm/v4/objects/{of}/{quote(target, safe='')}"))


def _ok(answer: Answer) -> Any:
    """The body of an answer that took the request. Raises Failed."""
    if answer.is_ok:
        return json_of(answer)
    raise Failed(failure(answer))


def failure(answer: Answer) -> Refused | Retry:
    """What an error of HubSpot means.

    Values that it does not take stay wrong. A conflict is another attempt at the same moment. A
    token may be replaced, and everything else passes.
    """
    said, stated = _said(answer), json_of(answer)
    if answer.status == 429:
        policy = stated.get("policyName") if isinstance(stated, dict) else None
        after = retry_after(answer)
        wait = after if after is not None else WAITS.get(str(policy), 10.0)
        return Retry(said, wait, is_endpoint=True)
    if answer.status == 409:
        return Retry(said)
    if answer.status in (401, 403, 408, LOCKED, MIGRATING) or answer.status >= 500:
        is_own = answer.status == LOCKED
        return Retry(said, retry_after(answer), is_endpoint=not is_own)
    if 400 <= answer.status < 500:
        return Refused(said)
    return Retry(said)


def _said(answer: Answer) -> str:
    match json_of(answer):
        case {"category": str(category), "message": str(message)}:
            return f"{answer.status} {in_short(category, 60)}: {in_short(message)}"
        case _:
            return described(answer)


def _text(sources: Sources, delivery: Delivery) -> str:
    return text_of(first(sources, delivery)).strip()


def _deal_name(delivery: Delivery) -> str:
    title = delivery.lead.get("title")
    name = f"{who(delivery.lead)}: {title}" if title else who(delivery.lead)
    return f"Test: {name}" if delivery.is_test else name
