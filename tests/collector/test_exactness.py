"""Places where a mark could have been wrong: each once was."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oracle import qualifications
from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Stored
from pequel_collector.ports import LeadFilter, Store, WriteTransaction
from pequel_collector.rules.language import personal
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.api import Api
from support.streams import NOW, collector_of, marks, messages_of, plain_event

START = 1_700_000_000_000
DAY = 86_400_000
Plain = dict[str, Any]

FINGERPRINT = """
from pequel_collector.rules.engine.evaluator import Evaluator
from pequel_collector.rules.parser.catalogue import read_catalogue
text = '[project]\\ninternal = { email_domain = ["a.example", "b.example", "c.example"] }\\n'
print(Evaluator("user", read_catalogue(text)).version)
"""


def event(user: str, name: str, mid: str, after: int, **parts: Any) -> Plain:
    return plain_event(user, name, mid, START + after, **parts)


def in_acme(user: str, name: str, mid: str, after: int) -> Plain:
    return event(user, name, mid, after, groupId="acme")


def group(mid: str, after: int, **traits: Any) -> Plain:
    parts: Plain = {"type": "group", "groupId": "acme", "traits": traits}
    return event("owner", "", mid, after, **parts)


def truth(toml: str, plain: list[Plain]) -> dict[tuple[str, str, str], list[int]]:
    import tomllib

    return qualifications(tomllib.loads(toml), plain, NOW)


def test_every_process_calls_the_same_definitions_the_same() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


SCORES = """
[[pql]]
name = "p"
subject = "account"
clock = true
[pql.when]
any = [
  { all = [{ event = "never", gte = 5 }, { event = "quiet", eq = 0, within = "3d" }] },
  { users = { score = { gte = 5 }, points = [{ event = "x", add = 5 }], within = "2d" }, gte = 2 },
]
"""


def test_a_score_of_users_is_let_go_of_between_facts() -> None:
    sent = [
        in_acme("u1", "x", "1", 0),
        in_acme("u1", "z", "2", 5 * DAY),
        in_acme("u2", "x", "3", 10 * DAY),
        in_acme("u2", "z", "4", 11 * DAY),
    ]
    collector = collector_of(SCORES)
    for each in sent:
        collector.ingest.accept(messages_of([each]))
    assert marks(collector) == truth(SCORES, sent) == {}


THREE = '[[pql]]\nname = "p"\nwhen = { event = "x", gte = 3 }\n'


def test_what_was_undone_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit fails, another process writes, and the first goes on."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    one = collector_of(THREE, url)
    other = open_collector(Settings(database=url), read_catalogue(THREE), clock=lambda: NOW)
    one.ingest.accept(messages_of([event("u1", "x", "1", 1)]))
    with monkeypatch.context() as patched:
        patched.setattr(one.ingest, "store", _Failing(one.store))
        with pytest.raises(OSError, match="disk"):
            one.ingest.accept(messages_of([event("u1", "x", "2", 2)]))
    other.ingest.accept(messages_of([event("u9", "x", "3", 5)]))
    one.ingest.accept(messages_of([event("u1", "x", "4", 4)]))
    assert marks(one) == {}
    one.close()
    other.close()


class _Failing:
    """A store whose commits fail."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextlib.contextmanager
    def writing(self) -> Iterator[WriteTransaction]:
        with self._store.writing() as tx:
            yield tx
            raise OSError("no space left on the disk")


GUARDED = '[[pql]]\nname = "p"\nwhen = { event = "x", gte = 2 }\nunless = [{ event = "bad" }]\n'
OTHERS = '[[pql]]\nname = "q"\nwhen = { event = "y" }\n'


def test_definitions_that_come_back_know_what_came_meanwhile() -> None:
    """The next batch is marked rightly, although no replay has had time to come to anybody."""
    sent = [event("u1", "x", "1", 0), event("u1", "bad", "2", 1), event("u1", "x", "3", 2)]
    collector = collector_of(GUARDED)
    collector.ingest.accept(messages_of(sent[:1]))
    collector.put_definitions(OTHERS)
    collector.ingest.accept(messages_of(sent[1:2]))
    collector.put_definitions(GUARDED)
    assert collector.ingest.accept(messages_of(sent[2:])).qualified == ()
    assert Api(collector).status("user", "u1")["is_pql"] is False


FLAGGED = """
[[pql]]
name = "p"
when.all = [{ event = "x" }, { trait = "account.flag", eq = true }]
"""


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
@pytest.mark.parametrize("values", [(1, True), (True, 1), ([1], [True])])
def test_one_and_true_are_different_answers(
    order: tuple[int, ...], values: tuple[Any, Any]
) -> None:
    first, last = values
    sent = [group("m1", 50, flag=first), in_acme("u1", "x", "e", 60), group("m2", 50, flag=last)]
    collector = collector_of(FLAGGED)
    for place in order:
        collector.ingest.accept(messages_of([sent[place]]))
    assert marks(collector) == truth(FLAGGED, sent)


def test_long_values_are_told_apart_and_kept_apart(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pequel_collector.rules.engine.keyed.MAX_IN_STATE", 1)
    monkeypatch.setattr("pequel_collector.marking.history.FACTS_PER_PAGE", 2)
    toml = '[[pql]]\nname = "p"\nwhen = { event = "x", distinct = "v", gte = 3 }\n'
    texts = ["a" * 9_000 + "1", "a" * 9_000 + "2", "a" * 9_000 + "1", "b"]
    sent = [
        event("u1", "x", str(n), n, properties={"v": text + "é"}) for n, text in enumerate(texts)
    ]
    collector = collector_of(toml, store_url)
    for each in sent:
        collector.ingest.accept(messages_of([each]))
    assert marks(collector) == {("p", "user", "u1"): [START + 3]}
    collector.close()


HALVES = ["\ud83d", "a\udc00b", {"x": "\ud800"}, ["\udfff"], {"\ud800": 1}]


@pytest.mark.parametrize("value", HALVES)
def test_half_a_pair_of_surrogates_is_a_value_like_any_other(store_url: str, value: Any) -> None:
    toml = '[[pql]]\nname = "p"\nwhen = { event = "x", distinct = "v", gte = 2 }\n'
    collector = collector_of(toml, store_url)
    sent = [event("u1", "x", str(n), n, properties={"v": v}) for n, v in enumerate([value, "b"])]
    collector.ingest.accept(messages_of(sent))
    assert marks(collector) == {("p", "user", "u1"): [START + 1]}
    collector.put_definitions(toml.replace("gte = 2", "gte = 1"))
    while not (replay := collector.backfill_some()) or not replay.is_finished:
        pass
    assert marks(collector) == {("p", "user", "u1"): [START]}
    collector.close()


def test_different_halves_are_different_values() -> None:
    texts = ["\ud83d", "\ud83e", "\ufdd1d83d", "\ufdd1\ufdd1d83d", "\ud83d"]
    toml = '[[pql]]\nname = "p"\nwhen = { event = "x", distinct = "v", gte = 4 }\n'
    collector = collector_of(toml)
    sent = [event("u1", "x", str(n), n, properties={"v": v}) for n, v in enumerate(texts)]
    collector.ingest.accept(messages_of(sent))
    assert marks(collector) == {("p", "user", "u1"): [START + 3]}


@pytest.mark.parametrize("date", ["9999-12-31", "9999-12-31T23:59:59-23:59", "0001-01-01"])
def test_a_date_at_the_end_of_time_is_a_date(date: str) -> None:
    leaf = '{ event = "r", of = "trait:renews", within = "30d", from = "-36500d" }'
    toml = f'[[pql]]\nname = "p"\nwhen.any = [{{ event = "e" }}, {leaf}]\n'
    collector = collector_of(toml)
    told = event("u1", "", "1", 0, type="identify", traits={"renews": date})
    collector.ingest.accept(messages_of([told]))
    assert len(Api(collector).status("user", "u1")["progress"]) == 1
    collector.ingest.accept(messages_of([event("u1", "e", "2", 1)]))
    assert marks(collector) == {("p", "user", "u1"): [START + 1]}


ADS = """
[[pql]]
name = "p"
when = { event = "x", where = { "context.campaign.source" = "ads", due = { lt = 2026-03-01 } } }
"""


def test_a_new_definition_reads_the_context_and_the_dates_of_stored_messages(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live, and in a back-fill of what came while no definition read them."""
    monkeypatch.setattr("pequel_collector.marking.history.FACTS_PER_PAGE", 2)
    contexts: list[Plain] = [
        {"campaign": {"source": "mail"}},
        {"campaign": {"source": "ads"}, "locale": "de"},
        {"campaign.source": "ads"},
    ]
    dues = ["2026-02-28", "2026-02-28T12:00:00Z", 1_772_323_199]
    sent = [
        event(f"u{n % 2}", "x", str(n), n, context=context, properties={"due": due})
        for n, (context, due) in enumerate(zip(contexts, dues, strict=True))
    ]
    collector = collector_of('[[pql]]\nname = "p"\nwhen = { event = "y" }\n', store_url)
    collector.ingest.accept(messages_of(sent))
    collector.put_definitions(ADS)
    while not (replay := collector.backfill_some()) or not replay.is_finished:
        pass
    wanted = {("p", "user", "u1"): [START + 1], ("p", "user", "u0"): [START + 2]}
    assert marks(collector) == truth(ADS, sent) == wanted
    collector.close()


DUE = """
[[pql]]
name = "p"
when.all = [
  { event = "x", last = "due", gte = 2026-03-01 },
  { trait = "renews", between = [2026-03-01, 2026-03-31] },
]
"""


def test_evidence_and_progress_say_the_dates_that_are_needed() -> None:
    sent = [
        event("u1", "", "1", 0, type="identify", traits={"renews": "2026-03-15"}),
        event("u1", "x", "2", 1, properties={"due": "2026-02-28"}),
    ]
    collector = collector_of(DUE)
    collector.ingest.accept(messages_of(sent))
    (progress,) = Api(collector).status("user", "u1")["progress"]
    assert [leaf["needed"] for leaf in progress["leaves"]] == [
        "2026-03-01T00:00:00.000Z",
        {"between": ["2026-03-01T00:00:00.000Z", "2026-03-31T00:00:00.000Z"]},
    ]
    collector.ingest.accept(
        messages_of([event("u1", "x", "3", 2, properties={"due": 1_772_323_200})])
    )
    (lead,) = Api(collector).pqls(LeadFilter(), 9)["data"]
    assert lead["evidence"]["sentence"] == (
        "did x, most recently due 2026-03-01 (2026-03-01 needed) "
        "and renews is 2026-03-15 (2026-03-01 to 2026-03-31 needed)"
    )


def test_only_what_a_definition_reads_of_the_context_is_kept() -> None:
    evaluator = collector_of(ADS).ingest.evaluators.users
    context = {"campaign": {"source": "ads", "term": "pql"}, "ip": "203.0.113.7"}
    sent = event("u1", "x", "1", 0, context=context, properties={"due": 5, "other": 6})
    (stored,) = (Stored(m, None, m.subject) for m in messages_of([sent]))
    fact = evaluator.fact(stored)
    assert fact is not None
    assert fact.data == {"context.campaign.source": "ads", "due": 5}


PERSONAL = '[[pql]]\nname = "p"\nwhen = { event = "x" }\nunless = ["personal"]\n'


def test_another_list_of_free_providers_is_another_version_of_the_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update of the package, history is replayed as after a change of the file."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    sent = [
        event("u1", "", "1", 0, type="identify", traits={"email": "ada@new-mail.example"}),
        event("u2", "", "2", 0, type="identify", traits={"email": "bob@gmail.com"}),
        *(event(user, "x", f"3{user}", 1) for user in ("u1", "u2")),
    ]
    collector = collector_of(PERSONAL, url)
    collector.ingest.accept(messages_of(sent))
    assert marks(collector) == truth(PERSONAL, sent) == {("p", "user", "u1"): [START + 1]}
    collector.close()
    with monkeypatch.context() as patched:
        patched.setattr(personal, "whitelist", {"new-mail.example"})
        _forget_the_list()
        collector = open_collector(
            Settings(database=url), read_catalogue(PERSONAL), clock=lambda: NOW
        )
        with collector.store.reading() as tx:
            assert [version.version for version in tx.versions()] == [1, 2]
        leads = {
            lead["subject"]["id"]: lead for lead in Api(collector).pqls(LeadFilter(), 9)["data"]
        }
        assert leads["u2"]["version"] == 2
        assert "backfilled" in leads["u2"]["flags"]
        collector.close()
    _forget_the_list()


def _forget_the_list() -> None:
    for cache in (personal._free, personal.personal_domains, personal.digest):
        cache.cache_clear()
