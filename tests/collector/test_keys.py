"""API keys: what is stored of them, who is let in, and when that ends."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pequel_collector.access.keys import FIRST_KINDS, FRESH_FOR, KINDS, SCOPES, Keys
from pequel_collector.config import Settings
from pequel_collector.ports import Store
from pequel_collector.store import open_store


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
        assert keys.create(kind).token.startswith(f"pk_{letter}_")

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
