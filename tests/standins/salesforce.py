"""A stand-in for one organisation of Salesforce: the part of its REST API that Pequel uses.

    python tests/standins/salesforce.py --port 8401

It gives access tokens, upserts records by an external id, checks fields and duplicates, and limits
requests, as https://developer.salesforce.com/docs documents it. ``GET /standin`` shows its records.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import parse_qs, unquote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where a guide runs this file

from support.receivers import Reply, Taken

CLIENT, SECRET, REFRESH = "client-id", "client-secret", "refresh-token"
FIELDS = {
    "Lead": {
        "LastName", "FirstName", "Email", "Company", "Status", "OwnerId", "Description",
        "LeadSource", "Pequel_Id__c",
    },
    "Contact": {
        "LastName", "FirstName", "Email", "AccountId", "OwnerId", "Description", "Stage__c",
        "Pequel_Id__c",
    },
    "Account": {"Name", "Website", "NumberOfEmployees", "OwnerId", "Pequel_Account_Id__c"},
}  # fmt: skip
REQUIRED = {"Lead": ["LastName", "Company"], "Contact": ["LastName"], "Account": ["Name"]}
EXTERNAL = {"Lead": "Pequel_Id__c", "Contact": "Pequel_Id__c", "Account": "Pequel_Account_Id__c"}
PREFIX = {"Lead": "00Q", "Contact": "003", "Account": "001"}
STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Not Converted")
LENGTHS = {"LastName": 80, "FirstName": 40, "Company": 255}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
BY_EXTERNAL = re.compile(r"/services/data/v\d\d\.0/sobjects/(\w+)/(\w+__c)/([^/]+)")
BY_ID = re.compile(r"/services/data/v\d\d\.0/sobjects/(\w+)/(\w+)")


class Problem(Exception):
    """An error that Salesforce answers."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, [{"message": message, "errorCode": code, **more}]


class Salesforce:
    """The records of an organisation. ``limited`` requests are over the limit of a day."""

    def __init__(self, *, limited: int = 0) -> None:
        self.limited, self.locked, self.logins = limited, 0, 0
        self.url = ""
        self.has_duplicate_rule = True
        self.tokens: set[str] = set()
        self.records: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in FIELDS}
        self.deleted: set[str] = set()
        self.converted: set[str] = set()
        self.after: Callable[[Taken], Reply | None] = lambda _: None
        self._ids, self._lock = count(1), RLock()

    def __call__(self, taken: Taken) -> Reply | None:
        with self._lock:
            try:
                reply = self._answer(taken)
            except Problem as problem:
                reply = _reply(problem.status, problem.body)
            return self.after(taken) or reply

    def _answer(self, taken: Taken) -> Reply:
        if taken.path == "/standin":
            return _reply(200, self.records)
        if taken.path == "/services/oauth2/token":
            return self._token(taken)
        if taken.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Problem(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.limited:
            self.limited -= 1
            raise Problem(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if self.locked:
            self.locked -= 1
            raise Problem(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", fields=[])
        if taken.method == "PATCH" and (found := BY_EXTERNAL.fullmatch(taken.path)):
            return self._upsert(*map(unquote, found.groups()), taken)
        if taken.method == "PATCH" and (found := BY_ID.fullmatch(taken.path)):
            return self._update(*map(unquote, found.groups()), taken)
        raise Problem(404, "NOT_FOUND", "The requested resource does not exist")

    def _token(self, taken: Taken) -> Reply:
        form = {name: values[0] for name, values in parse_qs(taken.body.decode()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            said = {"error": "invalid_client", "error_description": "invalid client credentials"}
            return _reply(400, said)
        is_refresh = form.get("grant_type") == "refresh_token"
        if is_refresh and form.get("refresh_token") != REFRESH:
            said = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
            return _reply(400, said)
        self.logins += 1
        token = f"00D!{self.logins}"
        self.tokens.add(token)
        url = self.url or f"http://{taken.headers['host']}"
        return _reply(200, {"access_token": token, "instance_url": url, "token_type": "Bearer"})

    def _upsert(self, kind: str, field: str, value: str, taken: Taken) -> Reply:
        if EXTERNAL.get(kind) != field:
            said = f"Provided external ID field does not exist or is not accessible: {field}"
            raise Problem(404, "NOT_FOUND", said)
        given = {**json.loads(taken.body), field: value}
        live = {i: r for i, r in self.records[kind].items() if i not in self.deleted}
        known = next((id_ for id_, each in live.items() if each.get(field) == value), None)
        if known is None:
            self._check_new(kind, given, taken)
        id_ = known or self._new(kind)
        self._set(kind, id_, given)
        body = {"id": id_, "success": True, "errors": [], "created": known is None}
        return _reply(201 if known is None else 200, body)

    def _update(self, kind: str, id_: str, taken: Taken) -> Reply:
        if id_ in self.deleted or id_ not in self.records.get(kind, {}):
            raise Problem(404, "ENTITY_IS_DELETED", "entity is deleted", fields=[])
        if id_ in self.converted:
            said = "cannot reference converted lead"
            raise Problem(400, "CANNOT_UPDATE_CONVERTED_LEAD", said, fields=[])
        self._set(kind, id_, json.loads(taken.body))
        return _reply(204, None)

    def _new(self, kind: str) -> str:
        return f"{PREFIX[kind]}{next(self._ids):012}AAA"

    def _check_new(self, kind: str, given: dict[str, Any], taken: Taken) -> None:
        if missing := [name for name in REQUIRED[kind] if not given.get(name)]:
            said = f"Required fields are missing: [{', '.join(missing)}]"
            raise Problem(400, "REQUIRED_FIELD_MISSING", said, fields=missing)
        if taken.headers.get("sforce-duplicate-rule-header") == "allowSave=true":
            return
        same = [i for i, r in self.records[kind].items() if _same_email(r, given)]
        if self.has_duplicate_rule and same:
            record = {"attributes": {"type": kind}, "Id": same[0]}
            raise Problem(
                400,
                "DUPLICATES_DETECTED",
                "Use one of these records?",
                duplicateResult={
                    "allowSave": True,
                    "duplicateRule": f"Standard_{kind}_Duplicate_Rule",
                    "matchResults": [{"matchRecords": [{"record": record}], "success": True}],
                },
            )

    def _set(self, kind: str, id_: str, given: dict[str, Any]) -> None:
        for name, value in given.items():
            if name not in FIELDS[kind]:
                said = f"No such column '{name}' on sobject of type {kind}"
                raise Problem(400, "INVALID_FIELD", said)
            if isinstance(value, str) and len(value) > LENGTHS.get(name, 32_768):
                said = f"{name}: data value too large: {value[:20]}"
                raise Problem(400, "STRING_TOO_LONG", said, fields=[name])
        if "Email" in given and not EMAIL.fullmatch(given["Email"]):
            said = f"Email: invalid email address: {given['Email']}"
            raise Problem(400, "INVALID_EMAIL_ADDRESS", said, fields=["Email"])
        if "Status" in given and given["Status"] not in STATUSES:
            said = f"Status: bad value for restricted picklist field: {given['Status']}"
            code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
            raise Problem(400, code, said, fields=["Status"])
        self.records[kind].setdefault(id_, {}).update(given)


def _same_email(record: dict[str, Any], given: dict[str, Any]) -> bool:
    return bool(given.get("Email")) and record.get("Email") == given["Email"]


def _reply(status: int, body: Any) -> Reply:
    content = b"" if body is None else json.dumps(body).encode()
    return Reply(status, {"Content-Type": "application/json;charset=UTF-8"}, content)


def _main() -> None:
    from run import arguments, serve

    serve(Salesforce(), "Salesforce", arguments("Salesforce").parse_args().port)


if __name__ == "__main__":
    _main()
