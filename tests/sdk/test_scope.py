"""The scope fills in what a call leaves out."""

import asyncio
import sys
import threading

import pytest

import pequel
from pequel import scope
from pequel.testing import RecordingClient


@pytest.fixture(autouse=True)
def _alone():
    """The scope that a test leaves behind ends with it."""
    token = scope._current.set(None)
    yield
    scope._current.reset(token)


@pytest.fixture
def client():
    with RecordingClient() as client:
        yield client


def ids(event):
    return {name: event[name] for name in ("userId", "anonymousId") if name in event}


class TestIds:
    """They are filled in where a call gives none of its own."""

    @pytest.mark.parametrize("kind", ["track", "identify", "page", "screen"])
    def test_a_call_without_ids_takes_those_of_the_scope(self, client, kind):
        event = {"event": "e"} if kind == "track" else {}
        with pequel.context(user_id="u1", anonymous_id="a1"):
            getattr(client, kind)(**event)
        assert ids(client.last) == {"userId": "u1", "anonymousId": "a1"}

    @pytest.mark.parametrize("own", [{"user_id": "u2"}, {"anonymous_id": "a2"}])
    def test_a_call_with_an_id_takes_none(self, client, own):
        """Else a visitor would be joined to whoever is logged in."""
        with pequel.context(user_id="u1", anonymous_id="a1"):
            client.track(event="e", **own)
        assert list(ids(client.last).values()) == list(own.values())

    @pytest.mark.parametrize("blank", ["", "  ", None, float("nan")])
    def test_a_blank_id_is_none(self, client, blank):
        with pequel.context(user_id="u1"):
            client.track(blank, "e")
        assert client.last["userId"] == "u1"

    def test_an_id_is_coerced_as_that_of_a_call(self, client):
        with pequel.context(user_id=5):
            client.track(event="e")
        assert client.last["userId"] == "5"

    def test_without_a_scope_nothing_is_filled_in(self, client):
        client.track(event="e")
        assert [error.field for error in client.events.dropped] == ["userId"]

    @pytest.mark.parametrize("nonsense", [True, ["u1"], {"id": 1}])
    def test_nonsense_drops_the_event_and_raises_nothing(self, client, nonsense):
        with pequel.context(user_id=nonsense):
            client.track(event="e")
            client.track("u2", "e")
        assert [error.reason for error in client.events.dropped] == ["invalid"]
        assert client.last["userId"] == "u2"
        assert client.stats().accepted == 2

    def test_alias_takes_no_ids(self, client):
        """A guess would make one of two persons, for ever."""
        with pequel.context(user_id="u1", anonymous_id="a1", group_id="acme", locale="de"):
            client.alias("a7", None)
            client.alias(None, "u7")
            client.alias("a7", "u7")
        assert len(client.events.dropped) == 2
        assert (client.last["previousId"], ids(client.last)) == ("a7", {"userId": "u7"})
        assert client.last["context"] == {"locale": "de"}


class TestAccounts:
    """The account is filled in where a call names none."""

    def test_an_event_falls_to_the_account_of_the_scope(self, client):
        with pequel.context(group_id="acme"):
            client.track("u1", "e")
        assert client.last["context"] == {"groupId": "acme"}

    def test_an_account_named_by_the_call_goes_first(self, client):
        with pequel.context(group_id="acme"):
            client.track("u1", "e", context={"groupId": "other"})
        assert client.last["context"] == {"groupId": "other"}

    @pytest.mark.parametrize("blank", ["", None])
    def test_a_blank_account_is_none(self, client, blank):
        with pequel.context(group_id="acme"):
            client.track("u1", "e", context={"groupId": blank})
        assert client.last["context"] == {"groupId": "acme"}

    def test_group_takes_the_account_as_its_own(self, client):
        with pequel.context(user_id="u1", group_id="acme"):
            client.group(traits={"plan": "pro"})
        assert (client.last["userId"], client.last["groupId"]) == ("u1", "acme")
        assert "context" not in client.last

    def test_group_with_an_account_keeps_it(self, client):
        with pequel.context(group_id="acme"):
            client.group("u1", "other")
        assert client.last["groupId"] == "other"
        assert "context" not in client.last


class TestContext:
    """Other keys are members of the context of each message."""

    def test_they_go_under_those_of_the_call(self, client):
        with pequel.context(locale="de", page={"path": "/a"}):
            client.track("u1", "e", context={"page": {"path": "/b"}, "ip": "192.0.2.1"})
        assert client.last["context"] == {
            "locale": "de",
            "page": {"path": "/b"},
            "ip": "192.0.2.1",
        }

    def test_nothing_of_the_callers_is_changed(self, client):
        given, page = {"ip": "192.0.2.1"}, {"path": "/a"}
        with pequel.context(group_id="acme", page=page):
            client.track("u1", "e", context=given)
        assert (given, page) == ({"ip": "192.0.2.1"}, {"path": "/a"})

    def test_the_fields_of_a_call_stay_as_they_are(self):
        fields = {"userId": None, "context": None}
        with pequel.context(user_id="u1", locale="de"):
            filled = scope.filled_in("page", fields)
        assert fields == {"userId": None, "context": None}
        assert filled == {"userId": "u1", "anonymousId": None, "context": {"locale": "de"}}

    def test_nonsense_for_a_context_drops_the_event_as_it_does_without_a_scope(self, client):
        with pequel.context(locale="de"):
            client.track("u1", "e", context=5)
        assert [error.field for error in client.events.dropped] == ["context"]


class TestNesting:
    def test_the_inner_one_wins_and_the_outer_one_comes_back(self, client):
        with pequel.context(user_id="u1", group_id="acme", locale="de"):
            with pequel.context(user_id="u2", locale="fr"):
                client.track(event="inner")
            client.track(event="outer")
        inner, outer = client.events
        assert (inner["userId"], inner["context"]) == ("u2", {"locale": "fr", "groupId": "acme"})
        assert (outer["userId"], outer["context"]) == ("u1", {"locale": "de", "groupId": "acme"})

    @pytest.mark.parametrize("silent", [None, ""])
    def test_an_inner_one_that_does_not_say_leaves_it_to_the_outer(self, client, silent):
        with pequel.context(user_id="u1"), pequel.context(user_id=silent, locale=None):
            client.track(event="e")
        assert client.last["userId"] == "u1"
        assert "context" not in client.last

    def test_it_ends_when_the_block_raises(self):
        with pytest.raises(ZeroDivisionError), pequel.context(user_id="u1"):
            raise ZeroDivisionError
        assert pequel.current_context() == {}

    def test_one_block_can_be_entered_again_and_again(self):
        block = pequel.context(user_id="u1")
        with block, block:
            assert pequel.current_context() == {"user_id": "u1"}
        assert pequel.current_context() == {}


class TestDecorating:
    def test_a_function_runs_in_its_scope(self, client):
        @pequel.context(user_id="u1")
        def work(name):
            """Work."""
            client.track(event=name)
            return name

        assert (work("e"), client.last["userId"]) == ("e", "u1")
        assert (work.__name__, work.__doc__, pequel.current_context()) == ("work", "Work.", {})

    def test_so_does_a_coroutine_function(self, client):
        @pequel.context(user_id="u1")
        async def work():
            await asyncio.sleep(0)
            client.track(event="e")

        asyncio.run(work())
        assert client.last["userId"] == "u1"

    def test_a_function_that_calls_itself_leaves_nothing_behind(self):
        @pequel.context(user_id="u1")
        def down(n):
            return down(n - 1) if n else pequel.current_context()

        assert down(3) == {"user_id": "u1"}
        assert pequel.current_context() == {}

    def test_a_function_that_calls_itself_very_often_can_still_track(self, client):
        @pequel.context(locale="de")
        def down(n):
            return down(n - 1) if n else client.track(event="e")

        with pequel.context(user_id="u1"):
            down(sys.getrecursionlimit() // 2 - 150)
        assert client.last["context"] == {"locale": "de"}

    @pytest.mark.parametrize("kind", [classmethod, staticmethod])
    def test_methods_of_either_kind_can_be_decorated_from_above(self, kind):
        class Report:
            @pequel.context(user_id="u1")
            @kind
            def export(*_args):
                return pequel.current_context()

        assert Report.export() == Report().export() == {"user_id": "u1"}

    def test_a_property_is_refused(self):
        with pytest.raises(TypeError, match="can decorate a function"):
            pequel.context(user_id="u1")(property(lambda self: 5))

    def test_a_generator_is_refused(self):
        def numbers():
            yield 1

        with pytest.raises(TypeError, match="inside it"):
            pequel.context(user_id="u1")(numbers)


class TestSetting:
    """`set_context` says it for the rest of a request, a task, a block or a thread."""

    def test_it_holds_from_then_on(self, client):
        pequel.set_context(user_id="u1")
        pequel.set_context(group_id="acme")
        client.track(event="e")
        assert (client.last["userId"], client.last["context"]) == ("u1", {"groupId": "acme"})

    def test_it_ends_with_the_block_it_is_in(self):
        with pequel.context(locale="de"):
            pequel.set_context(user_id="u1")
            assert pequel.current_context() == {"locale": "de", "user_id": "u1"}
        assert pequel.current_context() == {}

    def test_a_loop_that_sets_it_for_each_job_gathers_nothing(self):
        for number in range(3):
            pequel.set_context(user_id=number)
        assert scope._current.get().around is None

    def test_in_a_block_tasks_set_it_each_for_itself(self):
        async def job(name):
            pequel.set_context(user_id=name)
            await asyncio.sleep(0)
            return pequel.current_context()

        async def jobs():
            with pequel.context(locale="de"):
                return await asyncio.gather(job("u1"), job("u2"))

        assert [one["user_id"] for one in asyncio.run(jobs())] == ["u1", "u2"]

    def test_in_a_request_it_is_for_all_threads_of_it(self):
        """Frameworks run parts of a request in threads, with copies of its context."""

        async def request():
            with scope.Block({}, shared=True):
                await asyncio.to_thread(pequel.set_context, user_id="u1")
                return await asyncio.to_thread(pequel.current_context)

        assert asyncio.run(request()) == {"user_id": "u1"}


class TestCarrying:
    def test_what_is_said_can_be_said_again_elsewhere(self):
        with pequel.context(user_id="u1", group_id="acme", locale="de"):
            carried = pequel.current_context()
        with pequel.context(**carried):
            assert pequel.current_context() == carried

    def test_a_thread_has_a_scope_of_its_own(self):
        seen = []
        with pequel.context(user_id="u1"):
            thread = threading.Thread(target=lambda: seen.append(pequel.current_context()))
            thread.start()
            thread.join()
        assert seen == [{}]

    def test_tasks_of_one_loop_do_not_mix(self, client):
        async def act(name):
            with pequel.context(user_id=name):
                await asyncio.sleep(0)
                client.track(event="e", properties={"who": name})

        async def acts():
            await asyncio.gather(*(act(f"u{n}") for n in range(20)))

        asyncio.run(acts())
        assert len(client.events) == 20
        assert all(e["userId"] == e["properties"]["who"] for e in client.events)

    def test_a_task_keeps_the_scope_it_was_started_in(self):
        async def start():
            with pequel.context(user_id="u1"):
                task = asyncio.create_task(asyncio.to_thread(pequel.current_context))
            return await task, pequel.current_context()

        assert asyncio.run(start()) == ({"user_id": "u1"}, {})

    def test_greenlets_do_not_mix(self):
        """Gevent switches between them in the middle of a block."""
        gevent = pytest.importorskip("gevent")
        seen = []

        def act(name):
            with pequel.context(user_id=name):
                gevent.sleep(0)
                seen.append(pequel.current_context() == {"user_id": name})

        gevent.joinall([gevent.spawn(act, f"u{n}") for n in range(5)])
        assert seen == [True] * 5

    def test_a_block_that_is_left_in_another_context_ends_nothing_there(self):
        """Some frameworks run the two halves of a generator in two threads."""
        block = pequel.context(user_id="u1")
        thread = threading.Thread(target=block.__enter__)
        thread.start()
        thread.join()
        with pequel.context(user_id="u2"):
            block.__exit__(None, None, None)
            assert pequel.current_context() == {"user_id": "u2"}
