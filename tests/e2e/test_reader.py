"""A reader of the SDK and a real collector: what is answered has the types that are promised."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

import pequel
from pequel.answers import Lead, LeadDetail, LedgerEntry, PqlStatus
from support.processes import KEYS

if TYPE_CHECKING:
    from conftest import Api

WRITE, READ = KEYS["PEQUEL_WRITE_KEY"], KEYS["PEQUEL_READ_KEY"]
ODD = ["a/b", "..", ".", "zoë/pql", "100 %", "?x=1#y", "tab\tand\nline"]


@pytest.fixture
def reader(api: Api) -> Iterator[pequel.Reader]:
    with pequel.Reader(READ, api.server.url) as reader:
        yield reader


def mismatches(value: Any, kind: Any, at: str = "answer") -> list[str]:
    """Where a value is not of a type, down to the innermost."""
    if hasattr(kind, "__required_keys__"):
        return _in_record(value, kind, at)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is list:
        return [m for i, one in enumerate(value) for m in mismatches(one, inner[0], f"{at}[{i}]")]
    if origin is dict:
        return [m for k, one in value.items() for m in mismatches(one, inner[1], f"{at}.{k}")]
    if origin in (Union, types.UnionType):
        return [] if any(not mismatches(value, one) for one in inner) else [f"{at}: {value!r}"]
    if origin is Literal:
        return [] if value in inner else [f"{at}: {value!r}"]
    allowed = (int, float) if kind is float else kind
    return [] if kind is Any or isinstance(value, allowed) else [f"{at}: {value!r}"]


def _in_record(value: Any, kind: Any, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: {value!r}"]
    hints = get_type_hints(kind)
    odd = [f"{at} lacks {name}" for name in kind.__required_keys__ - value.keys()]
    odd += [f"{at} has {name}" for name in value.keys() - hints.keys()]
    for name in value.keys() & hints.keys():
        odd += mismatches(value[name], hints[name], f"{at}.{name}")
    return odd


def fill(api: Api) -> None:
    """A user who is set up, one who is on the way, and an account that spreads."""
    with api.client() as client:
        for user, projects in (("u1", 3), ("u2", 1)):
            client.identify(user, {"plan": "free"})
            client.group(user, "acme", {"employees": 120})
            client.track(user, "signed_up")
            client.track(user, "integration_connected", {"kind": "slack"})
            client.track(user, "integration_connected", {"kind": "github"})
            client.track(user, "teammate_invited", {"invitee": user})
            for number in range(projects):
                client.track(user, "project_created", {"project_id": number})


class TestAnswers:
    def test_have_the_types_that_are_promised(self, api: Api, reader: pequel.Reader) -> None:
        fill(api)
        statuses = [reader.pql("u1"), reader.pql("u2"), reader.account_pql("acme")]
        assert [m for status in statuses for m in mismatches(status, PqlStatus)] == []
        assert [m for lead in reader.pqls() for m in mismatches(lead, Lead)] == []

    def test_of_leads_have_the_types_that_are_promised(self, api: Api) -> None:
        fill(api)
        with pequel.Leads(KEYS["PEQUEL_ADMIN_KEY"], api.server.url) as leads:
            for lead in leads:
                leads.assign(lead["id"], "ben")
                assert mismatches(leads.contact(lead["id"], note="hello"), LeadDetail) == []
                with pytest.raises(pequel.ConflictError) as caught:
                    leads.reopen(lead["id"])
                assert (caught.value.state, "won" in caught.value.allowed) == ("contacted", True)
            changes = list(leads.changes(page_size=2))
        assert [m for change in changes for m in mismatches(change, LedgerEntry)] == []
        assert {"opened", "assigned", "contacted"} <= {change["what"] for change in changes}

    def test_are_those_of_the_api(self, api: Api, reader: pequel.Reader) -> None:
        fill(api)
        assert reader.pql("u1") == api.get("/v1/users/u1/pql")
        assert reader.account_pql("acme") == api.get("/v1/accounts/acme/pql")
        (progress,) = reader.progress("u2")
        assert [leaf["missing"] for leaf in progress["leaves"]] == [2, 0]
        inherited = reader.pql("u2")["leads"][0]
        assert (inherited["via"], inherited["definition"]) == ("account", "team_spread")

    def test_list_every_lead_once_page_by_page(self, api: Api, reader: pequel.Reader) -> None:
        with api.client() as client:
            for number in range(7):
                client.track(f"u{number}", "teammate_invited", {"invitee": 1}, {"groupId": number})
                client.track(f"u{number}", "teammate_invited", {"invitee": 2}, {"groupId": number})
        leads = [lead["subject"]["id"] for lead in reader.pqls(subject_kind="account", page_size=3)]
        assert sorted(leads) == [str(number) for number in range(7)]
        assert [*reader.pqls(subject_kind="user")] == []

    def test_are_about_whom_they_were_asked(self, api: Api, reader: pequel.Reader) -> None:
        with api.client() as client:
            for user in ODD:
                client.track(user, "signed_up")
        assert [reader.pql(user)["subject"]["id"] for user in ODD] == ODD


def test_errors_say_what_was_wrong(api: Api, reader: pequel.Reader) -> None:
    """Nobody saw the user; the key may not read; there is no such state."""
    with pytest.raises(pequel.NotFoundError, match="not_found"):
        reader.pql("nobody")
    with pytest.raises(pequel.UnauthorizedError, match="wrong_key"):
        pequel.Reader(WRITE, api.server.url).pql("u1")
    with pytest.raises(pequel.ReaderError, match="bad_parameter") as caught:
        next(reader.pqls(state="newish"))
    assert caught.value.details["field"] == "state"
