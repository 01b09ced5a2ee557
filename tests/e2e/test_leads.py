"""From a call in the product to an answer for the developer, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Api, Start


def track_set_up(api: Api, user: str = "u1") -> None:
    """Do all that the definition `set_up` asks for, but for one project."""
    with api.client() as client:
        client.identify(user, {"email": "ada@example.com", "plan": "free"})
        client.group(user, "acme", {"employees": 120, "country": "DE"})
        client.track(user, "signed_up")
        for kind in ("slack", "github"):
            client.track(user, "integration_connected", {"kind": kind})
        for project in ("p1", "p2"):
            client.track(user, "project_created", {"project_id": project})


def finish(api: Api, user: str = "u1") -> None:
    """Do what is missing."""
    with api.client() as client:
        client.track(user, "project_created", {"project_id": "p3"})


class TestAUser:
    def test_is_marked_by_the_call_that_completes_a_definition(self, api: Api) -> None:
        track_set_up(api)
        assert not api.get("/v1/users/u1/pql")["is_pql"]
        finish(api)
        answer = api.get("/v1/users/u1/pql")
        (lead,) = answer["leads"]
        assert answer["is_pql"]
        assert (lead["definition"], lead["account"]) == ("set_up", "acme")
        assert lead["evidence"]["sentence"]
        assert [leaf["observed"] for leaf in lead["evidence"]["leaves"]] == [3, 2]

    def test_on_the_way_has_progress(self, api: Api) -> None:
        track_set_up(api)
        (progress,) = api.get("/v1/users/u1/pql")["progress"]
        assert progress["definition"] == "set_up"
        assert [leaf["missing"] for leaf in progress["leaves"]] == [1, 0]

    def test_is_in_the_list_with_what_is_known_of_them(self, api: Api) -> None:
        track_set_up(api)
        finish(api)
        (lead,) = api.get("/v1/pqls", definition="set_up")["data"]
        assert lead["subject"] == {"kind": "user", "id": "u1"}
        assert lead["traits"] == {"email": "ada@example.com", "plan": "free"}

    def test_that_was_never_seen_is_not_found(self, api: Api) -> None:
        assert api.ask("/v1/users/nobody/pql").status_code == 404


class TestAnAccount:
    def test_is_marked_by_what_its_members_do_together(self, api: Api) -> None:
        with api.client() as client:
            client.group("u1", "acme")
            client.group("u2", "acme")
            client.track("u1", "teammate_invited", {"invitee": "u2"})
            client.track("u2", "teammate_invited", {"invitee": "u3"})
        (lead,) = api.get("/v1/accounts/acme/pql")["leads"]
        assert lead["subject"] == {"kind": "account", "id": "acme"}
        (inherited,) = api.get("/v1/users/u2/pql")["leads"]
        assert (inherited["id"], inherited["via"]) == (lead["id"], "account")


class TestARestart:
    def test_forgets_nothing_and_marks_no_user_twice(self, start: Start) -> None:
        with start() as api:
            track_set_up(api)
            finish(api)
            before = api.get("/v1/pqls")
        with start() as api:
            assert api.get("/v1/pqls") == before
            finish(api)
            assert len(api.get("/v1/pqls")["data"]) == 1

    def test_in_the_middle_does_not_start_the_count_anew(self, start: Start) -> None:
        with start() as api:
            track_set_up(api)
        with start() as api:
            finish(api)
            assert api.get("/v1/users/u1/pql")["is_pql"]
