"""`tracked` tracks what a function does."""

import asyncio
import inspect

import pytest

import pequel
from pequel.testing import RecordingClient, capture


@pytest.fixture
def client():
    with RecordingClient() as client:
        yield client


async def consume(numbers):
    return [number async for number in numbers]


class TestWhen:
    """An event is tracked when the work is done."""

    def test_a_function_is_tracked_when_it_returns(self, client):
        @client.tracked("report_exported", user_id="who")
        def export(who):
            assert not client.events
            return "report"

        assert export("u1") == "report"
        assert (client.last["event"], client.last["userId"]) == ("report_exported", "u1")

    def test_one_that_raises_is_not(self, client):
        @client.tracked("report_exported")
        def export():
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), pequel.context(user_id="u1"):
            export()
        assert client.stats().accepted == 0

    def test_a_coroutine_function_is_tracked_when_it_is_done(self, client):
        @client.tracked("report_exported", user_id="who")
        async def export(who):
            await asyncio.sleep(0)
            return "report"

        coroutine = export("u1")
        assert not client.events
        assert asyncio.run(coroutine) == "report"
        client.assert_tracked("report_exported", user_id="u1")

    def test_a_generator_is_tracked_when_it_is_exhausted(self, client):
        @client.tracked("rows_read", user_id="who", properties=lambda rows, who: {"rows": rows})
        def read(who):
            received = yield "row"
            return received

        rows = read("u1")
        assert next(rows) == "row"
        assert not client.events
        with pytest.raises(StopIteration):
            rows.send(7)
        client.assert_tracked("rows_read", user_id="u1", rows=7)

    def test_one_that_is_left_before_its_end_is_not(self, client):
        @client.tracked("rows_read", user_id="who")
        def read(who):
            yield 1
            yield 2

        rows = read("u1")
        next(rows)
        rows.close()
        assert not client.events

    def test_an_async_generator_is_tracked_when_it_is_exhausted(self, client):
        @client.tracked("rows_read", user_id="who")
        async def read(who):
            yield 1
            yield 2

        assert asyncio.run(consume(read("u1"))) == [1, 2]
        client.assert_tracked("rows_read", user_id="u1")

    def test_an_async_generator_receives_what_it_is_sent_and_thrown(self, client):
        @client.tracked("rows_read", user_id="who")
        async def read(who):
            try:
                received = yield "first"
                yield received
            except KeyError:
                yield "mended"

        async def converse():
            rows = read("u1")
            said = [await anext(rows), await rows.asend("sent"), await rows.athrow(KeyError())]
            return said, await anext(rows, "end")

        assert asyncio.run(converse()) == (["first", "sent", "mended"], "end")
        assert len(client.events) == 1

    def test_an_async_generator_that_is_closed_closes_the_one_inside(self, client):
        closed = []

        @client.tracked("rows_read", user_id="who")
        async def read(who):
            try:
                yield 1
            finally:
                closed.append(who)

        async def leave():
            rows = read("u1")
            await anext(rows)
            await rows.aclose()
            return list(closed)

        assert asyncio.run(leave()) == ["u1"]
        assert not client.events


class TestWhat:
    """Who did it, and what there is to say about it."""

    def test_whoever_the_scope_names_did_it(self, client):
        @client.tracked("report_exported")
        def export():
            pass

        with pequel.context(user_id="u1", group_id="acme"):
            export()
        client.assert_tracked("report_exported", user_id="u1", group_id="acme")

    @pytest.mark.parametrize("call", [lambda f: f("u1"), lambda f: f(who="u1"), lambda f: f()])
    def test_the_user_may_be_an_argument_of_any_kind(self, client, call):
        @client.tracked("report_exported", user_id="who")
        def export(who="u1"):
            pass

        call(export)
        client.assert_tracked("report_exported", user_id="u1")

    def test_the_user_may_follow_from_the_result(self, client):
        @client.tracked("signed_up", user_id=lambda user, *_, **__: user["id"])
        def sign_up(email, *, plan):
            return {"id": "u9"}

        sign_up("ada@example.com", plan="free")
        client.assert_tracked("signed_up", user_id="u9")

    def test_properties_may_be_the_same_each_time(self, client):
        @client.tracked("report_exported", properties={"format": "pdf"}, user_id="who")
        def export(who):
            pass

        export("u1")
        client.assert_tracked("report_exported", format="pdf")

    def test_properties_may_follow_from_result_and_arguments(self, client):
        def say(rows, who, *, name):
            return {"rows": len(rows), "name": name}

        @client.tracked("report_exported", properties=say, user_id="who")
        def export(who, *, name):
            return [1, 2, 3]

        export("u1", name="sales")
        client.assert_tracked("report_exported", rows=3, name="sales")

    def test_methods_can_be_tracked(self, client):
        class Report:
            rows = 3

            @client.tracked("e", user_id="who", properties=lambda _, self, who: {"rows": self.rows})
            def export(self, who):
                pass

        Report().export("u1")
        client.assert_tracked("e", user_id="u1", rows=3)

    @pytest.mark.parametrize("call", [lambda kind: kind.export, lambda kind: kind().export])
    @pytest.mark.parametrize("kind", [classmethod, staticmethod])
    def test_methods_of_either_kind_can_be_tracked_from_above(self, client, call, kind):
        class Report:
            @client.tracked("e", user_id=lambda *_: "u1")
            @kind
            def export(*args):
                return args

        assert call(Report)(1) == ((Report, 1) if kind is classmethod else (1,))
        client.assert_tracked("e", user_id="u1")


class TestFaults:
    """A mistake in what is asked of the application costs it nothing."""

    def test_without_properties_that_fail_the_event_is_tracked(self, client, caplog):
        @client.tracked("report_exported", user_id="who", properties=lambda *_: 1 / 0)
        def export(who):
            return "report"

        assert [export("u1"), export("u1")] == ["report", "report"]
        assert [event["userId"] for event in client.events] == ["u1", "u1"]
        [logged] = caplog.records
        assert "properties of 'report_exported' failed" in logged.getMessage()
        assert logged.exc_info[0] is ZeroDivisionError

    @pytest.mark.parametrize("said", [[1], "text", 5])
    def test_properties_that_are_no_mapping_are_left_out(self, client, caplog, said):
        @client.tracked("report_exported", user_id="who", properties=lambda *_: said)
        def export(who):
            return "report"

        assert export("u1") == "report"
        client.assert_tracked("report_exported", user_id="u1")
        assert "so the event is tracked without them" in caplog.text

    def test_a_property_cannot_be_tracked_from_above(self, client):
        with pytest.raises(TypeError, match="can decorate a function"):
            client.tracked("e")(property(lambda self: 5))

    def test_without_a_user_that_fails_it_is_not_taken_for_that_of_the_scope(self, client, caplog):
        @client.tracked("report_exported", user_id=lambda *_: 1 / 0)
        def export():
            return "report"

        with pequel.context(user_id="admin"):
            assert export() == "report"
        assert client.stats().accepted == 0
        assert "so the event is not tracked" in caplog.text

    def test_an_argument_that_is_none_is_found_when_decorating(self, client):
        with pytest.raises(TypeError, match="no argument 'user'"):

            @client.tracked("report_exported", user_id="user")
            def export(who):
                pass

    def test_forgetting_the_name_is_found_when_decorating(self):
        with pytest.raises(TypeError, match="the event of tracked must be text"):

            @pequel.tracked
            def export():
                pass


class TestTheFunction:
    """It stays what it was."""

    def test_it_keeps_its_name_text_and_signature(self, client):
        @client.tracked("report_exported")
        def export(who: str, *, rows: int = 3) -> bytes:
            """Export."""
            return b""

        assert (export.__name__, export.__doc__) == ("export", "Export.")
        assert str(inspect.signature(export)) == "(who: str, *, rows: int = 3) -> bytes"

    def test_it_stays_a_coroutine_function_or_a_generator_function(self, client):
        @client.tracked("e")
        async def coroutine():
            pass

        @client.tracked("e")
        def generator():
            yield

        @client.tracked("e")
        async def async_generator():
            yield

        assert inspect.iscoroutinefunction(coroutine)
        assert inspect.isgeneratorfunction(generator)
        assert inspect.isasyncgenfunction(async_generator)


def test_the_function_of_the_package_asks_for_the_default_client_at_each_call():
    """So that a module can be imported before it is configured."""

    @pequel.tracked("report_exported", user_id="who")
    def export(who):
        pass

    with capture() as first:
        export("u1")
    with capture() as second:
        export("u2")
    assert [events.last["userId"] for events in (first, second)] == ["u1", "u2"]
