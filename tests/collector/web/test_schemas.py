"""What a schema does not name does not leave the API: everything that is answered has its name."""

from __future__ import annotations

from pequel_collector.app.bootstrap import Collector
from pequel_collector.web.api import schemas
from support.streams import collector_of, messages_of, plain_event


def _asked() -> Collector:
    collector = collector_of('[[pql]]\nname = "p"\nwhen = { event = "x" }\n')
    sent = plain_event("u1", "x", "1", 1_700_000_000_000, anonymousId="a1", groupId="acme")
    collector.ingest.accept(messages_of([sent]))
    return collector


def test_a_user_with_ids() -> None:
    answer = _asked().queries.user("u1")
    assert schemas.PROFILE.dump(answer).keys() == answer.keys() > {"ids"}


def test_an_account() -> None:
    answer = _asked().queries.account("acme")
    assert schemas.PROFILE.dump(answer).keys() == answer.keys()


def test_a_lead_with_its_changes() -> None:
    collector = _asked()
    [lead] = collector.queries.user("u1")["leads"]
    answer = collector.queries.pql(lead["id"])
    shown = schemas.LEAD.dump(answer)
    assert shown.keys() == answer.keys() > {"changes", "expires_at", "merged_into"}
    assert [change["what"] for change in shown["changes"]] == ["opened"]


def test_a_status() -> None:
    answer = _asked().queries.status("user", "u1")
    shown = schemas.STATUS.dump(answer)
    assert shown.keys() == answer.keys()
    assert shown["leads"][0].keys() == answer["leads"][0].keys()
