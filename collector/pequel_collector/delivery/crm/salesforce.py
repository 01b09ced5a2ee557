"""Salesforce: a lead, or a contact and an account, by upserts with an external id.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm lists the
errors. The access token is kept in memory and asked for again when Salesforce does not take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from ...model import JSON
from ...rules.language.crm import FieldMap, Source
from ..http import Answer, Http
from ..records import Delivery, Refused, Result, Retry, Sender, Sent
from ..variables import Environment, Options, required
from ..verdict import described, retry_after
from .calls import Calls, Failed, in_short, json_of
from .changes import owner_of, stage_of
from .values import LONGEST, text_of, values_of

VERSION = "v62.0"
ID_FIELD, ACCOUNT_ID_FIELD = "Pequel_Id__c", "Pequel_Account_Id__c"
REFERENCE = "salesforce:"
"""How the reference to a record begins; its id follows."""

NO_FIELDS: FieldMap = {}
NAME = (Source(("traits", "last_name")), Source(("traits", "name")), Source(("traits", "email")))
PERSON: FieldMap = {
    "LastName": (*NAME, Source(("subject", "id"))),
    "FirstName": (Source(("traits", "first_name")),),
    "Email": (Source(("traits", "email")),),
}
COMPANY = (Source(("account_traits", "name")), Source(("account",)), Source(text="unknown"))
LEAD: FieldMap = {**PERSON, "Company": COMPANY}
ACCOUNT: FieldMap = {"Name": COMPANY}
"""What each object gets if the alert does not say otherwise: what Salesforce requires, and more."""

BUSY = ("UNABLE_TO_LOCK_ROW", "DUPLICATE_VALUE", "QUERY_TIMEOUT")
"""Errors of this record that pass: others work on it at the same moment."""

LIMITED = "REQUEST_LIMIT_EXCEEDED"
LIMIT_WAIT = 3_600.0
"""Seconds to wait after the limit of a day, which Salesforce counts for the last 24 hours."""

GONE = ("ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY")
CONVERTED = "CANNOT_UPDATE_CONVERTED_LEAD"
EXPIRED = "INVALID_SESSION_ID"


class Login(NamedTuple):
    """How to get an access token: with a refresh token, or as the app itself."""

    url: str
    client_id: str
    client_secret: str
    refresh_token: str | None

    def form(self) -> bytes:
        """The body of a request for a token."""
        grant = {"grant_type": "client_credentials"}
        if self.refresh_token is not None:
            grant = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        return urlencode(
            {**grant, "client_id": self.client_id, "client_secret": self.client_secret}
        ).encode()


class Session(NamedTuple):
    """An access token, and where it is good."""

    token: str
    url: str


class SalesforceSender:
    """Writes leads to one organisation."""

    def __init__(self, options: Options, login: Login) -> None:
        self._options, self._login = options, login
        self._object = options.get("object", "Lead")
        self._lock = Lock()
        self._session: Session | None = None

    def send(self, delivery: Delivery, http: Http) -> Result:
        try:
            session = self._logged_in(http)
            calls = self._calls(http, session)
            try:
                return self._write(calls, delivery)
            except _Expired:
                session = self._logged_in(http, instead_of=session)
                return self._write(self._calls(http, session, calls.end), delivery)
        except _Expired as error:
            return Retry(error.said, is_endpoint=True)
        except Failed as error:
            return error.result

    # -- logging in ------------------------------------------------------------------------

    def _logged_in(self, http: Http, instead_of: Session | None = None) -> Session:
        """The session; a new one in place of one that has ended. Raises Failed.

        Several attempts that find it ended ask for one new session.
        """
        with self._lock:
            if self._session is None or self._session == instead_of:
                self._session = log_in(self._login, http)
            return self._session

    def _calls(self, http: Http, session: Session, end: float | None = None) -> Calls:
        base = f"{session.url}/services/data/{self._options.get('version', VERSION)}/sobjects"
        headers = {"Authorization": f"Bearer {session.token}"}
        if self._options.get("allow_duplicates", False):
            headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"
        return Calls(http, base, headers, end=end)

    # -- the records -----------------------------------------------------------------------

    def _write(self, calls: Calls, delivery: Delivery) -> Result:
        known = (delivery.reference or "").removeprefix(REFERENCE)
        if known:
            return self._update(calls, delivery, known)
        if self._object == "Lead":
            value = str(delivery.lead["id"])
            return self._upsert(calls, "Lead", self._id_field(), value, self._fields(delivery))
        return self._contact(calls, delivery)

    def _contact(self, calls: Calls, delivery: Delivery) -> Result:
        """The account of the lead, if it has one, and the contact of its user, if it is one's."""
        result: Result = Refused("the lead has neither a user nor an account")
        fields = self._fields(delivery)
        subject: Any = delivery.lead["subject"]
        account = delivery.lead.get("account")
        account = subject["id"] if subject["kind"] == "account" else account
        if account is not None:
            given = {**ACCOUNT, **self._options.get("account_properties", NO_FIELDS)}
            key = self._options.get("account_id_field", ACCOUNT_ID_FIELD)
            values = plain(values_of(given, delivery))
            result = self._upsert(calls, "Account", key, str(account), values)
            if not isinstance(result, Sent):
                return result
            fields["AccountId"] = str(result.reference).removeprefix(REFERENCE)
        if subject["kind"] == "account":
            return result
        return self._upsert(calls, "Contact", self._id_field(), str(subject["id"]), fields)

    def _upsert(
        self, calls: Calls, kind: str, key: str, value: str, fields: Mapping[str, JSON]
    ) -> Result:
        """Create or update the record with a value of an external id."""
        path = f"/{kind}/{quote(key, safe='')}/{quote(value, safe='')}"
        answer = calls.call("PATCH", path, dict(fields))
        if not answer.is_ok:
            raise Failed(failure(answer))
        match json_of(answer):
            case {"id": str(record)}:
                return Sent(f"{kind} {record}", REFERENCE + record)
            case _:
                return Retry("Salesforce answered without the id of the record")

    def _update(self, calls: Calls, delivery: Delivery, record: str) -> Result:
        """Update a record that is known. One that is deleted or converted stays as it is."""
        kind = self._kind_of(delivery)
        reference = REFERENCE + record
        answer = calls.call("PATCH", f"/{kind}/{quote(record, safe='')}", self._changed(delivery))
        if answer.is_ok:
            return Sent(f"{kind} {record}", reference)
        code = _code(answer)
        if code in GONE:
            return Sent(f"{kind} {record} was deleted in Salesforce, and stays deleted", reference)
        if code == CONVERTED:
            return Sent(f"{kind} {record} is converted, and stays as it is", reference)
        raise Failed(failure(answer))

    def _kind_of(self, delivery: Delivery) -> str:
        subject: Any = delivery.lead["subject"]
        is_account = self._object == "Contact" and subject["kind"] == "account"
        return "Account" if is_account else str(self._object)

    def _id_field(self) -> str:
        return str(self._options.get("id_field", ID_FIELD))

    def _fields(self, delivery: Delivery) -> dict[str, JSON]:
        """The fields of a new lead or contact."""
        own = LEAD if self._object == "Lead" else PERSON
        given = {**own, **self._options.get("properties", NO_FIELDS)}
        found = plain(values_of(given, delivery)) | self._of_people(delivery, is_new=True)
        if delivery.is_test:
            found["LastName"] = f"Test: {found.get('LastName')}"[:80]
        return found

    def _changed(self, delivery: Delivery) -> dict[str, JSON]:
        """The fields of an update: those that the alert maps, and what the change is about."""
        is_account = self._kind_of(delivery) == "Account"
        mapped = self._options.get("account_properties" if is_account else "properties", NO_FIELDS)
        found = plain(values_of(mapped, delivery))
        return found if is_account else found | self._of_people(delivery, is_new=False)

    def _of_people(self, delivery: Delivery, *, is_new: bool) -> dict[str, JSON]:
        """The stage and the owner, where they are to be set. A record always has an owner."""
        options, found = self._options, dict[str, JSON]()
        field = options.get("stage_field", "Status" if self._object == "Lead" else None)
        stage = stage_of(delivery, options.get("stages", {}), is_new=is_new)
        owner = owner_of(delivery, options.get("owners", {}), is_new=is_new)
        if field is not None and stage is not None:
            found[field] = stage
        if owner:
            found["OwnerId"] = owner
        return found


def make(options: Options, environment: Environment) -> Sender:
    """The sender of an alert. Raises Misconfigured."""
    name = options.get("refresh_token_env")
    login = Login(
        str(options["url"]).rstrip("/"),
        required(environment, options["client_id_env"]),
        required(environment, options["client_secret_env"]),
        None if name is None else required(environment, name),
    )
    return SalesforceSender(options, login)


def plain(values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Values as Salesforce takes them: numbers and truth values stay, lists become texts."""
    found: dict[str, JSON] = {}
    for name, value in values.items():
        if isinstance(value, bool | int | float):
            found[name] = value
        elif text := text_of(value)[:LONGEST]:
            found[name] = text
    return found


# -- requests --------------------------------------------------------------------------------


class _Expired(Exception):
    """The access token is not taken any more."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def log_in(login: Login, http: Http) -> Session:
    """Get an access token. Raises Failed; credentials may be replaced, so it is tried again."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = http.request("POST", f"{login.url}/services/oauth2/token", login.form(), headers)
    match json_of(answer):
        case {"access_token": str(token), "instance_url": str(url)} if answer.is_ok:
            if token.isascii() and token.isprintable():
                return Session(token, url.rstrip("/"))
            said = "login: an access token that is none"
        case {"error": str(error), **more}:
            text = in_short(str(more.get("error_description", "")))
            said = f"login: {answer.status} {in_short(error, 60)}: {text}"
        case _:
            said = f"login: {answer}"  # a body could hold a token
    raise Failed(Retry(said, retry_after(answer), is_endpoint=True))


def failure(answer: Answer) -> Refused | Retry:
    """What an error of Salesforce means. Raises _Expired for a session that has ended."""
    code, said = _code(answer), _said(answer)
    if answer.status == 401:
        raise _Expired(said)
    if code == LIMITED:
        after = retry_after(answer)
        return Retry(said, LIMIT_WAIT if after is None else after, is_endpoint=True)
    if code in BUSY:
        return Retry(said)
    if answer.status in (403, 408, 429) or answer.status >= 500:
        return Retry(said, retry_after(answer), is_endpoint=True)
    if answer.status == 300:
        return Refused("several records have this external id: make the field unique")
    return Refused(said) if answer.status >= 400 else Retry(said)


def _code(answer: Answer) -> str:
    match json_of(answer):
        case [{"errorCode": str(code)}, *_]:
            return code
        case _:
            return ""


def _said(answer: Answer) -> str:
    match json_of(answer):
        case [{"errorCode": str(code), "message": str(message)} as first, *_]:
            named = first.get("fields")
            fields = f"({', '.join(map(str, named))})" if isinstance(named, list) and named else ""
            known = "".join(f"; it is {record}" for record in _duplicates(first)[:1])
            short = f"{in_short(message, 300)} {in_short(fields, 100)}".rstrip() + known
            return f"{answer.status} {in_short(code, 60)}: {short}"
        case _:
            return described(answer)


def _duplicates(error: Mapping[str, Any]) -> list[str]:
    """The ids of the records that a duplicate rule has found."""
    match error.get("duplicateResult"):
        case {"matchResults": [{"matchRecords": [*records]}, *_]}:
            found = [each.get("record") for each in records if isinstance(each, dict)]
            return [in_short(str(r["Id"]), 40) for r in found if isinstance(r, dict) and "Id" in r]
        case _:
            return []
