"""API keys: what is stored of them, who is let in, and when that ends."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pequel_collector.access.keys import FIRST_KINDS, FRESH_FOR, KINDS, SCOPES, SHOWN, Keys
from pequel_collector.config import Settings
from pequel_collector.errors import BadRequest, NotFound
from pequel_collector.ports import By, Store
from pequel_collector.store import open_store

DAY = 86_400_000


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'pequel.db'}")
    yield store
    store.close()


@pytest.fixture
def keys(store: Store, clock: Clock) -> Keys:
    return Keys(store, clock, Settings())


@pytest.fixture
def elsewhere(store: Store, clock: Clock) -> Keys:
    """The same keys as another process sees them."""
    return Keys(store, clock, Settings())


class TestCreate:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_token_says_what_kind_it_is(self, keys: Keys, kind: str) -> None:
        letter = {"write+marks": "m", "work": "k"}.get(kind, kind[0])
        partner = "north" if kind == "partner" else None
        assert keys.create(kind, partner=partner).token.startswith(f"pk_{letter}_")

    def test_every_token_is_another(self, keys: Keys) -> None:
        assert len({keys.create("write").token for _ in range(20)}) == 20

    def test_only_a_digest_is_stored(self, keys: Keys, store: Store, tmp_path: Path) -> None:
        token = keys.create("write", "shop").token
        with store.reading() as view:
            (stored,) = view.keys()
        assert stored.digest == sha256(token.encode()).hexdigest()
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert token.encode() not in files

    def test_kind_label_and_time_are_kept(self, keys: Keys, clock: Clock) -> None:
        keys.create("admin", "operations")
        (key,) = keys.listed()
        assert (key.kind, key.label, key.created_at) == ("admin", "operations", clock.now)


def test_a_key_that_sees_its_own_marks_sees_nothing_else() -> None:
    assert SCOPES["write+marks"] == {"send", "marks"}
    assert set().union(*(SCOPES[kind] for kind in FIRST_KINDS)) == set().union(*SCOPES.values())


class TestFind:
    def test_a_token_finds_its_key(self, keys: Keys) -> None:
        created = keys.create("read")
        assert keys.find(created.token) == created.key

    @pytest.mark.parametrize("token", ["", "pk_w_", "nonsense", "\udc80", "é" * 600])
    def test_an_unknown_token_finds_nothing(self, keys: Keys, token: str) -> None:
        keys.create("read")
        assert keys.find(token) is None

    def test_a_digest_is_no_token(self, keys: Keys) -> None:
        """Who reads the database cannot get in with what stands there."""
        assert keys.find(keys.create("read").key.digest) is None

    def test_a_key_made_by_another_process_is_found_at_once(
        self, keys: Keys, elsewhere: Keys
    ) -> None:
        keys.find(keys.create("read").token)
        assert keys.find(elsewhere.create("write").token) is not None


class TestPrefix:
    def test_tells_a_key_from_others_and_is_no_key(self, keys: Keys) -> None:
        created = keys.create("read")
        assert created.key.prefix == created.token[:SHOWN]
        assert keys.find(created.key.prefix) is None
        assert len(created.token) - SHOWN >= 28  # 112 bits stay secret


class TestRotate:
    def test_makes_a_key_for_the_same(self, keys: Keys) -> None:
        old = keys.create("write", "shop", rate=5, quota=9)
        new = keys.rotate(old.key.id, DAY)
        assert new.token != old.token
        found = keys.find(new.token)
        assert found is not None
        assert (found.kind, found.label, found.rate, found.quota) == ("write", "shop", 5, 9)

    def test_both_work_during_the_overlap_and_then_only_the_new_one(
        self, keys: Keys, elsewhere: Keys, clock: Clock
    ) -> None:
        old = keys.create("write")
        elsewhere.find(old.token)
        new = keys.rotate(old.key.id, DAY)
        clock.now += DAY - 1
        for each in (keys, elsewhere):
            assert each.find(old.token)
            assert each.find(new.token)
        clock.now += 1
        for each in (keys, elsewhere):
            assert each.find(old.token) is None
            assert each.find(new.token)

    def test_without_an_overlap_the_old_key_ends_at_once(self, keys: Keys) -> None:
        old = keys.create("write")
        new = keys.rotate(old.key.id, 0)
        assert (keys.find(old.token), keys.find(new.token)) == (None, new.key)

    def test_a_key_that_ends_already_is_not_rotated_again(self, keys: Keys) -> None:
        old = keys.create("write")
        keys.rotate(old.key.id, DAY)
        with pytest.raises(BadRequest, match=f"the key {old.key.id} ends at 2023-11-15T"):
            keys.rotate(old.key.id, DAY)
        assert len(keys.listed()) == 2

    @pytest.mark.parametrize("end", ["revoked", "unknown", "over"])
    def test_a_key_that_does_not_work_is_not_rotated(
        self, keys: Keys, clock: Clock, end: str
    ) -> None:
        old = keys.create("write").key.id
        if end == "revoked":
            keys.revoke(old)
        elif end == "over":
            keys.rotate(old, 0)
        with pytest.raises(NotFound, match="no active key"):
            keys.rotate("0" if end == "unknown" else old, DAY)

    def test_a_key_that_is_over_does_not_count_as_there(self, keys: Keys, clock: Clock) -> None:
        successor = keys.rotate(keys.create("admin").key.id, 0)
        assert keys.missing() == []
        keys.revoke(successor.key.id)
        assert keys.missing() == list(FIRST_KINDS)


class TestLastUsed:
    def last_used(self, keys: Keys) -> list[int | None]:
        return [key.last_used_at for key in keys.listed()]

    def test_is_stored_by_the_housekeeper(self, keys: Keys, clock: Clock) -> None:
        used, _unused = keys.create("read"), keys.create("write")
        clock.now += 5
        keys.find(used.token)
        clock.now += 5
        keys.save_uses()
        assert sorted(self.last_used(keys), key=str) == [clock.now - 5, None]

    def test_is_written_once_an_hour(self, keys: Keys, clock: Clock, store: Store) -> None:
        created, first = keys.create("read"), clock.now
        for _ in range(60):
            keys.find(created.token)
            keys.save_uses()
            clock.now += 60_000
        assert self.last_used(keys) == [first]
        keys.find(created.token)
        keys.save_uses()
        assert self.last_used(keys) == [clock.now]

    def test_is_kept_for_the_keys_in_the_settings_too(self, store: Store, clock: Clock) -> None:
        settings, first = Settings(write_key="w", read_key="r"), clock.now
        keys = Keys(store, clock, settings)
        for _ in range(3):
            keys.find("w")
            keys.save_uses()
            clock.now += 60_000
        assert self.last_used(Keys(store, clock, settings)) == [first, None]
        clock.now += 3_600_000
        keys.find("w")
        keys.save_uses()
        assert self.last_used(keys) == [clock.now, None]
        assert self.last_used(Keys(store, clock, Settings(write_key="another"))) == [None]

    def test_without_a_use_nothing_is_written(
        self, keys: Keys, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys.create("read")
        monkeypatch.setattr(store, "writing", None)
        keys.save_uses()

    def test_of_several_processes_one_writes(
        self, keys: Keys, elsewhere: Keys, clock: Clock
    ) -> None:
        created, first = keys.create("read"), clock.now
        for each in (keys, elsewhere):
            each.find(created.token)
            each.save_uses()
            clock.now += 1
        assert self.last_used(keys) == [first]


class TestAudit:
    def acts(self, store: Store) -> list[tuple[str, str, str | None]]:
        with store.reading() as view:
            return [(e.what, e.by.actor, e.by.reason) for e in view.audit(10)]

    def test_says_what_was_done_to_keys_by_whom_and_why(self, keys: Keys, store: Store) -> None:
        first = keys.create("read", by=By("cli", "the CRM"))
        second = keys.rotate(first.key.id, DAY, By("cli", "each year"))
        keys.revoke(second.key.id, By("k1"))
        assert self.acts(store) == [
            ("key_revoked", "k1", None),
            ("key_rotated", "cli", "each year"),
            ("key_created", "cli", "the CRM"),
        ]

    def test_has_no_secret(self, keys: Keys, store: Store) -> None:
        created = keys.create("read", "shop")
        with store.reading() as view:
            (entry,) = view.audit(10)
        about = {"key": created.key.id, "kind": "read", "label": "shop"}
        assert entry.details == about | {"prefix": created.token[:SHOWN]}

    def test_what_does_not_happen_is_not_noted(self, keys: Keys, store: Store) -> None:
        assert not keys.revoke("0")
        with pytest.raises(NotFound):
            keys.rotate("0", DAY)
        assert self.acts(store) == []

    def test_the_keys_of_a_first_start_are_noted(self, keys: Keys, store: Store) -> None:
        keys.create_first()
        assert self.acts(store) == [("key_created", "cli", "first start")] * 3


class TestRevoke:
    def test_a_revoked_key_stops_at_once(self, keys: Keys) -> None:
        key, token = keys.create("write")
        assert keys.find(token)
        assert keys.revoke(key.id)
        assert keys.find(token) is None

    def test_a_key_revoked_by_another_process_stops_soon(
        self, keys: Keys, elsewhere: Keys, clock: Clock
    ) -> None:
        key, token = keys.create("write")
        assert keys.find(token)
        elsewhere.revoke(key.id)
        clock.now += FRESH_FOR
        assert keys.find(token) is None

    def test_a_clock_that_goes_back_does_not_keep_a_revoked_key(
        self, keys: Keys, elsewhere: Keys, clock: Clock
    ) -> None:
        key, token = keys.create("write")
        assert keys.find(token)
        elsewhere.revoke(key.id)
        clock.now -= 1
        assert keys.find(token) is None

    def test_it_stays_in_the_list_with_the_time(self, keys: Keys, clock: Clock) -> None:
        keys.revoke(keys.create("write").key.id)
        (key,) = keys.listed()
        assert key.revoked_at == clock.now

    def test_there_is_nothing_to_revoke_under_an_unknown_id(self, keys: Keys) -> None:
        assert not keys.revoke("nobody")

    def test_the_other_keys_stay(self, keys: Keys) -> None:
        gone, stays = keys.create("write"), keys.create("write")
        keys.revoke(gone.key.id)
        assert keys.find(stays.token) == stays.key


class TestKeysOfTheSettings:
    @pytest.fixture
    def given(self, store: Store, clock: Clock) -> Keys:
        return Keys(store, clock, Settings(write_key="w", read_key="r", admin_key="a"))

    def test_they_are_accepted_without_being_stored(self, given: Keys, store: Store) -> None:
        kinds = [key and key.kind for key in map(given.find, "wra")]
        assert kinds == ["write", "read", "admin"]
        with store.reading() as view:
            assert view.keys() == []

    def test_they_are_listed_under_their_variables(self, given: Keys) -> None:
        labels = ["PEQUEL_WRITE_KEY", "PEQUEL_READ_KEY", "PEQUEL_ADMIN_KEY"]
        assert [key.label for key in given.listed()] == labels

    def test_an_empty_one_is_no_key(self, keys: Keys) -> None:
        assert keys.find("") is None

    def test_stored_keys_are_accepted_beside_them(self, given: Keys) -> None:
        assert given.find(given.create("read").token)


class TestMissing:
    def test_without_keys_are_all_kinds(self, keys: Keys) -> None:
        assert keys.missing() == list(FIRST_KINDS)

    def test_are_the_kinds_without_a_key(self, keys: Keys) -> None:
        keys.create("write")
        assert keys.missing() == ["read", "admin"]

    def test_are_none_where_there_is_an_admin_key(self, keys: Keys) -> None:
        keys.create("admin")
        assert keys.missing() == []

    def test_are_those_that_were_revoked(self, keys: Keys) -> None:
        keys.revoke(keys.create("admin").key.id)
        assert keys.missing() == list(FIRST_KINDS)

    def test_are_not_those_of_the_settings(self, store: Store, clock: Clock) -> None:
        assert Keys(store, clock, Settings(write_key="w")).missing() == ["read", "admin"]


class TestFirstStart:
    def test_makes_a_key_of_each_kind(self, keys: Keys) -> None:
        new = keys.create_first()
        assert [key.kind for key, _ in new] == list(FIRST_KINDS)
        assert all(keys.find(token) == key for key, token in new)

    def test_is_the_first_once(self, keys: Keys, elsewhere: Keys) -> None:
        keys.create_first()
        assert elsewhere.create_first() == []

    def test_does_not_come_again_when_every_key_is_revoked(self, keys: Keys) -> None:
        for key, _ in keys.create_first():
            keys.revoke(key.id)
        assert keys.create_first() == []

    def test_makes_none_where_the_settings_give_one(self, store: Store, clock: Clock) -> None:
        assert Keys(store, clock, Settings(write_key="w")).create_first() == []


@pytest.mark.parametrize("variable", ["write", "read", "admin"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_another_kind_than_its_variable_is_refused(
    store: Store, clock: Clock, keys: Keys, kind: str, variable: str
) -> None:
    token = keys.create(kind, partner="acme" if kind == "partner" else None).token
    settings = Settings(**{f"{variable}_key": token})
    if kind == variable:
        assert Keys(store, clock, settings).find(token)
        return
    with pytest.raises(BadRequest) as error:
        Keys(store, clock, settings)
    expected = f"PEQUEL_{variable.upper()}_KEY: found a {kind} key (pk_"
    assert error.value.message.startswith(expected)
    assert token not in error.value.message
