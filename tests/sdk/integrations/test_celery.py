"""A small Celery application: tasks have the scope of whoever sent them."""

import asyncio
import json

import celery
import pytest
from celery import signals
from celery.contrib.testing.worker import start_worker

import pequel
from pequel.integrations.celery import HEADER, MAX_BYTES, connect

WAIT = {"timeout": 20, "interval": 0.01}


def make_app():
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.broker_transport_options = {"polling_interval": 0.01}
    app.conf.worker_hijack_root_logger = False

    @app.task(name="seen")
    def seen():
        pequel.track(event="seen")
        return pequel.current_context()

    @app.task(name="signed_in")
    def signed_in(name):
        pequel.set_context(user_id=name)
        return pequel.current_context()

    @app.task(name="signed_in_by_a_coroutine")
    def signed_in_by_a_coroutine(name):
        async def sign_in():
            pequel.set_context(user_id=name)

        asyncio.run(sign_in())
        return pequel.current_context()

    @app.task(name="sent_on")
    def sent_on():
        return seen.delay().id

    @app.task(name="fail")
    def fail():
        pequel.set_context(user_id="u7")
        raise ZeroDivisionError

    @app.task(name="again", bind=True)
    def again(self):
        if self.request.retries == 0:
            raise self.retry(countdown=0)
        return pequel.current_context()

    return app


@pytest.fixture(scope="module")
def app():
    """The application, and a worker in a thread that takes its messages from a broker."""
    connect()
    connect()  # changes nothing
    app = make_app()
    # Somebody listens who would set up logging: so Celery leaves that of the other tests alone.
    signals.setup_logging.connect(leave_logging_alone)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=20):
        yield app
    signals.setup_logging.disconnect(leave_logging_alone)


def leave_logging_alone(**_):
    pass


def result(app, name, *args):
    return app.tasks[name].delay(*args).get(**WAIT)


def test_a_task_has_the_scope_of_whoever_sent_it(app, events):
    with pequel.context(user_id="u1", group_id="acme", locale="de"):
        assert result(app, "seen") == {"user_id": "u1", "group_id": "acme", "locale": "de"}
    events.assert_tracked("seen", user_id="u1", group_id="acme")


def test_it_ends_with_the_task(app, events):
    with pequel.context(user_id="u1"):
        result(app, "seen")
    assert result(app, "seen") == {}
    assert len(events.dropped) == 1


def test_what_a_task_sets_ends_with_it(app, events):
    assert result(app, "signed_in", "u5") == {"user_id": "u5"}
    assert result(app, "signed_in_by_a_coroutine", "u6") == {"user_id": "u6"}
    assert result(app, "seen") == {}


def test_a_task_that_fails_ends_its_scope(app, events):
    with pytest.raises(ZeroDivisionError):
        result(app, "fail")
    assert result(app, "seen") == {}


def test_a_task_that_a_task_sends_has_its_scope(app, events):
    with pequel.context(user_id="u1"):
        sent = result(app, "sent_on")
    assert app.AsyncResult(sent).get(**WAIT) == {"user_id": "u1"}


def test_a_chain_and_a_retry_keep_it(app, events):
    seen, again = app.tasks["seen"], app.tasks["again"]
    with pequel.context(user_id="u1"):
        chain = celery.chain(again.si(), seen.si(), app=app).apply_async()
    assert chain.get(**WAIT) == {"user_id": "u1"}
    assert chain.parent.get(**WAIT) == {"user_id": "u1"}


def test_values_travel_as_they_would_to_the_collector(app, events):
    with pequel.context(user_id=5, tags={"b", "a"}, page={"path": "/projects"}):
        facts = result(app, "seen")
    assert facts == {"user_id": "5", "tags": ["a", "b"], "page": {"path": "/projects"}}


def test_what_is_no_id_does_not_become_one_on_the_way(app, events, caplog):
    """As text, it would be the same for all."""
    with pequel.context(user_id=object(), locale="de"):
        assert result(app, "seen") == {}
    assert len(events.dropped) == 1
    assert "writing the scope to a task failed" in caplog.text
    assert "must be text or a number, not object" in caplog.text


def test_of_a_scope_too_large_for_a_header_the_ids_travel(app, events):
    with pequel.context(user_id="u1", locale="d" * MAX_BYTES):
        assert result(app, "seen") == {"user_id": "u1"}


def test_a_header_that_cannot_be_read_is_logged_and_breaks_nothing(app, events, caplog):
    task = app.tasks["seen"]
    assert task.apply_async(headers={HEADER: "{"}).get(**WAIT) == {}
    assert task.apply_async(headers={HEADER: json.dumps(5)}).get(**WAIT) == {}
    assert (
        len([r for r in caplog.records if "reading the scope of a task failed" in r.getMessage()])
        == 1
    )


def test_a_task_that_runs_where_it_is_called_has_the_scope_there(app, events):
    with pequel.context(user_id="u1"):
        assert app.tasks["seen"].apply().get() == {"user_id": "u1"}
        assert app.tasks["signed_in"].apply(["u5"]).get() == {"user_id": "u5"}
        assert pequel.current_context() == {"user_id": "u1"}
