"""What a page shows decides how much is read, not how much is stored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pequel_collector.errors import NotFound
from pequel_collector.identity.subject import Subject
from pequel_collector.model import Lead, Stored, fact_order
from pequel_collector.ports import Change, LeadFilter, Membership, ReadTransaction, Store, Trait
from pequel_collector.store import open_store
from pequel_collector.store.parts.traits import FEW_VALUES, MIN_FEW
from pequel_collector.store.session import Session
from pequel_collector.store.sqlite import SqliteSession

MakeMessage = Callable[..., Stored]


def append(store: Store, *messages: Stored) -> None:
    with store.writing() as tx:
        tx.append(messages)


def latest(view: ReadTransaction, limit: int, *subjects: str) -> list[str]:
    """The ids of the messages of subjects, latest first, read in pages."""
    found: list[str] = []
    before = None
    while page := view.latest_of(subjects, limit, before):
        assert len(page) <= limit
        found += [stored.message.mid for stored in page]
        before = fact_order(page[-1].message)
    return found


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of rows of each statement that is run meanwhile."""
    numbers: list[int] = []
    run = Session.run

    def counting(session: Session, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        rows = run(session, statement, **values)
        numbers.append(len(rows))
        return rows

    with monkeypatch.context() as patched:
        patched.setattr(Session, "run", counting)
        yield numbers


class TestTheLatestMessages:
    @pytest.mark.parametrize("limit", [1, 2, 5, 100])
    def test_are_the_messages_from_the_end(
        self, store: Store, message: MakeMessage, limit: int
    ) -> None:
        times = [5, 1, 9, 9, 3, 9, 2, 7, 7, 4, 8, 9, 6]
        for number, time in enumerate(times):
            subject = "a:v1" if number % 3 == 0 else "u:ada"
            fields = {"to": "acme", "position": -number % 4}
            append(store, message(f"m{number:02}", subject, time, **fields))
            append(store, message(f"x{number:02}", "u:bob", time))
        with store.reading() as view:
            for subjects in (["u:ada"], ["u:ada", "a:v1"], ["g:acme"], ["u:nobody"]):
                ordered = [stored.message.mid for stored in view.events(subjects)]
                assert latest(view, limit, *subjects) == ordered[::-1]

    def test_are_those_of_the_account_after_a_move(
        self, store: Store, message: MakeMessage
    ) -> None:
        append(store, *(message(f"m{number}", time=number) for number in range(9)))
        with store.writing() as tx:
            tx.attribute({"m0": "acme", "m8": "acme"}, "u:ada")
        with store.reading() as view:
            assert latest(view, 1, "g:acme") == ["m8", "m0"]


class TestTheAccountOfAUser:
    @staticmethod
    def account(store: Store) -> str | None:
        with store.reading() as view:
            return Subject.of(view, "user", "ada").account()

    @pytest.mark.parametrize("position", [0, 3, 8])
    def test_is_the_one_named_last(self, store: Store, message: MakeMessage, position: int) -> None:
        for number in range(9):
            named = {"to": "acme", "account": "acme"} if number == position else {}
            append(store, message(f"m{number}", time=number, **named))
        append(store, message("late", time=-1, to="old", account="old"))
        assert self.account(store) == "acme"

    def test_is_the_one_named_last_at_one_time(self, store: Store, message: MakeMessage) -> None:
        for number in range(9):
            named = {"account": f"a{number}", "position": -number % 5}
            append(store, message(f"m{number}", **named))
        assert self.account(store) == "a6"

    def test_is_none_if_no_message_has_one(self, store: Store, message: MakeMessage) -> None:
        append(store, *(message(f"m{number}", time=number) for number in range(9)))
        assert self.account(store) is None

    def test_is_that_of_any_id_of_the_person(self, store: Store, message: MakeMessage) -> None:
        append(store, message("m1", "a:v1", 1, to="acme", account="acme"))
        append(store, *(message(f"n{number}", time=number) for number in range(9)))
        with store.writing() as tx:
            tx.set_persons({"a:v1": "u:ada"})
        assert self.account(store) == "acme"

    def test_of_one_never_seen_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFound, match="there is no user ada"):
            self.account(store)


@pytest.mark.parametrize("named", [None, 0, 999])
def test_a_subject_with_many_messages_costs_no_more_rows_than_one_with_few(
    store_url: str, message: MakeMessage, monkeypatch: pytest.MonkeyPatch, named: int | None
) -> None:
    store = open_store(store_url, block_size=600)

    def fields(number: int) -> dict[str, str]:
        return {"to": "acme", "account": "acme"} if number == named else {}

    append(store, *(message(f"m{n:04}", time=n, **fields(n)) for n in range(1_000)))
    append(store, message("few", "u:bob", 1_000))
    rows = {}
    for name in ("ada", "bob"):
        with counted(monkeypatch) as numbers, store.reading() as view:
            subject = Subject.of(view, "user", name)
            subject.account()
            subject.span()
            view.latest_of(subject.ids, 10)
        rows[name] = len(numbers), sum(numbers)
    store.close()
    assert rows["ada"][0] <= rows["bob"][0] + 1
    assert rows["ada"][1] <= rows["bob"][1] + 25


class TestCountsOfASubjectWithManyMessages:
    @pytest.fixture
    def roomy(self, store_url: str) -> Iterator[Store]:
        """A store with blocks of forty messages, so that a block has many of one subject."""
        store = open_store(store_url, block_size=40)
        yield store
        store.close()

    def test_are_those_of_its_messages(self, roomy: Store, message: MakeMessage) -> None:
        names = ["a", "b", "c", None]
        whose = ["u:ada", "u:ada", "u:ada", "u:bob", "a:v1", "u:ada"]
        for n in range(210):
            to = "acme" if n % 5 else None
            append(roomy, message(f"m{n:03}", whose[n % 6], n, name=names[n % 4], to=to))
        wanted = {"u:ada": Counter[str](), "g:acme": Counter[str](), "u:bob": Counter[str]()}
        for n in range(210):
            for key in {whose[n % 6], "g:acme" if n % 5 else ""} & wanted.keys():
                if (name := names[n % 4]) is not None:
                    wanted[key][name] += 1
        with roomy.reading() as view:
            assert {key: view.counts([key]) for key in wanted} == wanted
            both = wanted["u:ada"] + wanted["u:bob"]
            assert view.counts(["u:ada", "u:bob"]) == both

    @pytest.mark.parametrize("number", [1, 15, 16, 30])
    def test_follow_messages_to_another_account(
        self, roomy: Store, message: MakeMessage, number: int
    ) -> None:
        append(roomy, *(message(f"m{n:03}", time=n, name="ab"[n % 2]) for n in range(100)))
        moves = [f"m{n:03}" for n in range(number)]
        for to in ("acme", "bolt", "acme", None):
            with roomy.writing() as tx:
                tx.attribute(dict.fromkeys(moves, to), "u:ada")
            wanted = {"a": (number + 1) // 2, "b": number // 2}
            for account in ("acme", "bolt"):
                with roomy.reading() as view:
                    found = view.counts([f"g:{account}"])
                assert found == ({k: v for k, v in wanted.items() if v} if account == to else {})
        with roomy.reading() as view:
            assert view.counts(["u:ada"]) == {"a": 50, "b": 50}

    def test_are_read_without_its_messages(
        self, roomy: Store, message: MakeMessage, run: Any
    ) -> None:
        append(roomy, *(message(f"m{n:03}", time=n) for n in range(80)))
        run("UPDATE event SET name = 'other'")
        with roomy.reading() as view:
            assert view.counts(["u:ada"]) == {"clicked": 80}


def _lead(number: int, subject: str, **more: Any) -> Lead:
    fields = {"id": f"l{number:04}", "definition": "active", "version": 1, "cycle": 1} | more
    return Lead(**fields, subject=subject, qualified_at=number, marked_at=number)


def _save(store: Store, *leads: Lead) -> None:
    with store.writing() as tx:
        tx.save_leads(leads)


def _listed(store: Store, **wanted: Any) -> list[str]:
    with store.reading() as view:
        return [lead.id for lead, _ in view.leads(LeadFilter(**wanted), 100)]


def _set(store: Store, subject: str, value: Any, time: int = 1, name: str = "country") -> None:
    with store.writing() as tx:
        tx.add_traits([Trait(subject, name, time, f"m{time}", value)])


class TestTheListOfLeadsByATrait:
    def test_follows_a_change_of_the_trait(self, store: Store) -> None:
        _set(store, "u:ada", "DE")
        _save(store, _lead(1, "u:ada"))
        assert _listed(store, country="DE") == ["l0001"]
        _set(store, "u:ada", "FR", 3)
        _set(store, "u:ada", "US", 2)
        assert (_listed(store, country="DE"), _listed(store, country="FR")) == ([], ["l0001"])
        _set(store, "u:ada", None, 4)
        assert _listed(store, country="FR") == []

    @pytest.mark.parametrize("length", [2, 90])
    def test_counts_the_last_value_at_one_time(self, store: Store, length: int) -> None:
        _save(store, _lead(1, "u:ada"))
        values = [("m2", "A" * length, 0), ("m1", "B" * length, 1)]
        with store.writing() as tx:
            tx.add_traits([Trait("u:ada", "plan", 1, mid, *rest) for mid, *rest in values])
        assert _listed(store, plan="A" * length) == []
        assert _listed(store, plan="B" * length) == ["l0001"]

    def test_follows_the_ids_of_the_person(self, store: Store) -> None:
        _save(store, _lead(1, "u:ada"), _lead(2, "u:bob"))
        _set(store, "a:v1", "DE")
        for person, expected in (("u:ada", ["l0001"]), ("u:bob", ["l0002"]), ("a:v1", [])):
            with store.writing() as tx:
                tx.set_persons({"a:v1": person})
            assert _listed(store, country="DE") == expected

    def test_is_right_from_the_start_and_after_a_lead_is_saved_again(self, store: Store) -> None:
        _set(store, "u:ada", "DE")
        _set(store, "a:v1", "FR", 2)
        _save(store, _lead(1, "u:ada"), _lead(2, "u:bob"))
        with store.writing() as tx:
            tx.set_persons({"a:v1": "u:ada"})
            tx.save_leads([_lead(1, "u:ada", state="won"), _lead(3, "u:ada", cycle=2)])
        assert _listed(store, country="FR") == ["l0003", "l0001"]
        _save(store, _lead(1, "u:ada", state="lost"))
        assert _listed(store, country="FR", state="lost") == ["l0001"]

    def test_writes_no_lead_whose_traits_stay_the_same(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _set(store, "u:ada", "DE")
        _save(store, _lead(1, "u:ada"))
        written: list[str] = []
        run = Session.run

        def noting(session: Session, statement: str, **values: Any) -> list[tuple[Any, ...]]:
            written.extend([statement] if "UPDATE lead" in statement else [])
            return run(session, statement, **values)

        monkeypatch.setattr(Session, "run", noting)
        _set(store, "u:ada", "DE", 2)
        _set(store, "u:ada", 7, 3, "size")
        assert written == []
        _set(store, "u:ada", "FR", 4)
        assert len(written) == 1

    @pytest.mark.parametrize("value", ["x" * 62, "x" * 63, "é" * 5_000, [1], 7, True, {"a": "b"}])
    def test_finds_text_of_any_length(self, store: Store, value: Any) -> None:
        _save(store, _lead(1, "u:ada"), _lead(2, "u:bob"))
        _set(store, "u:ada", value, name="plan")
        stands_for = json.dumps(value) if isinstance(value, int) else value
        for text in ("x" * 62, "x" * 63, "é" * 5_000, "1", "7", "true"):
            assert _listed(store, plan=text) == (["l0001"] if text == stands_for else [])

    @pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 300])
    @pytest.mark.parametrize("letter", ["x", "é", "\0"])
    def test_finds_an_owner_of_any_length(self, store: Store, length: int, letter: str) -> None:
        owners = [letter * length, letter * (length + 1), letter * length + "y"]
        _save(store, *(_lead(n, f"u:{n}", owner=owner) for n, owner in enumerate(owners)))
        _save(store, _lead(9, "u:9"))
        for number, owner in enumerate(owners):
            assert _listed(store, owner=owner) == [f"l{number:04}"]

    def test_names_each_owner_once(self, store: Store) -> None:
        owners = ["zoe", "ben", "é\0", "x" * 63, "x" * 64, None, "ben", ""]
        _save(store, *(_lead(n, f"u:{n}", owner=owner) for n, owner in enumerate(owners)))
        with store.reading() as view:
            found = view.lead_owners(10)
            assert sorted(found) == sorted({"zoe", "ben", "é\0", "x" * 63, ""})
            assert view.lead_owners(2) == found[:2]

    def test_counts_the_open_leads_of_the_people_of_accounts(self, store: Store) -> None:
        _save(
            store,
            _lead(1, "u:1", account="acme"), _lead(2, "u:2", account="acme", state="contacted"),
            _lead(3, "u:3", account="acme", state="lost"), _lead(4, "a:acme", account="acme"),
            _lead(5, "u:5", account="acme", expires_at=9), _lead(6, "u:6", account="b\0"),
        )  # fmt: skip
        with store.reading() as view:
            found = view.open_leads_of_people(["acme", "b\0", "none"], 9)
        assert found == {"acme": 2, "b\0": 1, "none": 0}

    def test_knows_what_somebody_did_newest_first(self, store: Store) -> None:
        with store.reading() as view:
            assert view.last_change() == 0
        actors = ["mia", "ben", "mia", None, "é\0", "mia", "Mia"]
        with store.writing() as tx:
            for at, actor in enumerate(actors):
                tx.log([Change(f"l{at}", at, "contacted", {}, {}, "why", actor)])
        with store.reading() as view:
            assert view.last_change() == 7
            for actor, numbers in (("mia", [6, 3, 1]), ("é\0", [5]), ("Mia", [7]), ("none", [])):
                found = view.changes_by(actor, 0, 8, 10)
                assert [each.number for each in found] == numbers, actor
                assert {each.actor for each in found} <= {actor}
            assert [each.number for each in view.changes_by("mia", 1, 6, 10)] == [3]
            assert [each.number for each in view.changes_by("mia", 0, 8, 2)] == [6, 3]

    def test_names_no_owner_where_there_is_none(self, store: Store) -> None:
        _save(store, _lead(1, "u:1"))
        with store.reading() as view:
            assert view.lead_owners(10) == []


class TestManyLeads:
    @pytest.fixture
    def many(self, store: Store) -> Store:
        """More leads than are read at once, with two traits that only some have both."""
        traits = []
        leads = []
        for number in range(1_300):
            subject = f"u:{number:04}"
            country, plan = ("IS", "free") if number < 5 else ("DE", "pro")
            traits += [
                Trait(subject, "country", 1, "m", country),
                Trait(subject, "plan", 1, "m", plan),
            ]
            leads.append(_lead(number, subject, owner="sales", account=f"a{number % 2}"))
        with store.writing() as tx:
            tx.add_traits(traits)
            tx.save_leads(leads)
        return store

    def test_are_filtered_by_any_combination(self, many: Store) -> None:
        first = [f"l{number:04}" for number in range(4, -1, -1)]
        everyone = [f"l{number:04}" for number in range(1_299, 1_199, -1)]
        assert _listed(many, country="IS") == first
        assert _listed(many, country="IS", plan="free", owner="sales") == first
        assert _listed(many, country="IS", plan="pro") == []
        assert _listed(many, country="DE", plan="pro", owner="sales") == everyone
        assert _listed(many, owner="sales", qualified_to=3) == ["l0002", "l0001", "l0000"]
        assert _listed(many, account="a1", marked_after=1_296) == ["l1299", "l1297"]
        assert _listed(many, state="new", now=5, definition="active") == everyone

    def test_without_a_match_are_not_read(
        self, many: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for wanted in ({"country": "nowhere"}, {"owner": "nobody", "plan": "pro"}):
            with counted(monkeypatch) as numbers:
                assert _listed(many, **wanted) == []
            assert sum(numbers) <= 1


def test_the_current_traits_of_a_user_are_found_among_many_values(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.writing() as tx:
        tx.add_traits([Trait("u:ada", "plan", time, f"m{time}", time) for time in range(500)])
        tx.add_traits([Trait("u:ada", "size", 499, mid, mid) for mid in ("a", "c", "b")])
    with store.reading() as view, counted(monkeypatch) as numbers:
        assert view.traits({"u:ada": ["u:ada"]}) == {"u:ada": {"plan": 499, "size": "c"}}
    assert sum(numbers) <= MIN_FEW + 4


@pytest.mark.parametrize("values", [1, FEW_VALUES - 1, FEW_VALUES, FEW_VALUES + 1])
def test_few_values_of_a_trait_give_what_many_give(store: Store, values: int) -> None:
    users = [f"u:{number}" for number in range(10)]
    with store.writing() as tx:
        for user in users:
            tx.add_traits([Trait(user, "plan", 5, f"m{n}", n, n) for n in range(values)])
            tx.add_traits([Trait(user, "seats", 1, "a", 1), Trait(user, "seats", 2, "b", None)])
    with store.reading() as view:
        found = view.traits({user: [user] for user in users})
    assert found == {user: {"plan": values - 1} for user in users}


def test_a_group_call_gives_later_messages_an_account(store: Store, message: MakeMessage) -> None:
    with store.writing() as tx:
        tx.append([message("m1", type="group", name=None, to="acme", account="acme")])
        tx.add_memberships([Membership("u:ada", 1_000, "m1", "acme")])
        tx.append([message("m2", time=2_000, to="acme")])
    with store.reading() as view:
        assert Subject.of(view, "user", "ada").account() == "acme"


@pytest.mark.parametrize("sort", ["due_at", "qualified_at", "-qualified_at", "marked_at"])
@pytest.mark.parametrize("state", ["open", "new", None])
def test_leads_sorted_by_a_time_are_not_sorted_by_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: Any, state: Any
) -> None:
    """Many leads meet the condition: sorting them would read all of them for one page."""
    store = open_store(f"sqlite:///{tmp_path}/pequel.db")
    _save(store, *(_lead(number, f"u:{number}") for number in range(1, 1_100)))
    plans: list[str] = []
    run = SqliteSession._run

    def noting(session: SqliteSession, statement: str, values: dict[str, Any]) -> Any:
        if "evidence" in statement and "EXPLAIN" not in statement:
            plan = run(session, f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(str(row[3]) for row in plan)
        return run(session, statement, values)

    monkeypatch.setattr(SqliteSession, "_run", noting)
    with store.reading() as view:
        assert len(view.leads(LeadFilter(sort=sort, state=state, now=5, snoozed=False), 9)) == 9
    store.close()
    assert plans
    assert "USE TEMP B-TREE FOR ORDER BY" not in plans
