"""The functions of the package act on a default client."""

import inspect
import time

import pytest

import pequel
from pequel.default_client import default_client

pytestmark = pytest.mark.usefixtures("no_default")


def test_the_functions_send_through_the_configured_client(transport):
    """Each is the method of the same name."""
    pequel.configure(write_key="key", transport=transport)
    pequel.identify("u1", {"plan": "free"})
    pequel.group("u1", "acme")
    pequel.track("u1", "e")
    pequel.page("u1", name="Start")
    pequel.screen("u1", name="Home")
    pequel.alias("a1", "u1")
    assert pequel.flush() is True
    kinds = [event["type"] for event in transport.events]
    assert kinds == ["identify", "group", "track", "page", "screen", "alias"]
    assert pequel.stats().delivered == 6
    assert pequel.shutdown() is True


def test_the_first_call_configures_from_the_environment(monkeypatch):
    """Nothing but variables is needed."""
    monkeypatch.setenv("PEQUEL_WRITE_KEY", "from-env")
    monkeypatch.setenv("PEQUEL_HOST", "https://collector.test")
    monkeypatch.setenv("PEQUEL_GZIP", "off")
    monkeypatch.setenv("PEQUEL_MAX_RETRIES", "3")
    options = default_client().options
    assert (options.write_key, options.host) == ("from-env", "https://collector.test")
    assert (options.gzip, options.max_retries) == (False, 3)


def test_arguments_go_before_the_environment(monkeypatch):
    """And the environment before the defaults."""
    monkeypatch.setenv("PEQUEL_WRITE_KEY", "from-env")
    monkeypatch.setenv("PEQUEL_TIMEOUT", "3")
    options = pequel.configure(write_key="given").options
    assert (options.write_key, options.timeout) == ("given", 3.0)


def test_a_wrong_environment_does_not_make_a_call_raise(monkeypatch, caplog):
    """Events are dropped, and it is logged once, with the variable that is wrong."""
    monkeypatch.setenv("PEQUEL_WRITE_KEY", "key")
    monkeypatch.setenv("PEQUEL_TIMEOUT", "soon")
    pequel.track("u1", "e")
    pequel.track("u1", "e")
    assert pequel.stats().dropped_by_reason == {"unauthorized": 2}
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.endswith(
        "unauthorized: the environment is wrong: PEQUEL_TIMEOUT must be of type float, not 'soon'"
    )


@pytest.mark.parametrize("host", ["http://[::1", "http://h:99999", "http://a b"])
def test_a_host_that_is_none_does_not_make_a_call_raise(host, monkeypatch):
    """Whatever it is that makes it none."""
    monkeypatch.setenv("PEQUEL_WRITE_KEY", "key")
    monkeypatch.setenv("PEQUEL_HOST", host)
    pequel.track("u1", "e")
    assert pequel.stats().dropped_by_reason == {"unauthorized": 1}


def test_a_wrong_environment_makes_configure_raise(monkeypatch):
    """Where settings are given, mistakes are found."""
    monkeypatch.setenv("PEQUEL_TIMEOUT", "soon")
    with pytest.raises(pequel.ConfigError):
        pequel.configure(write_key="key")


def test_a_wrong_variable_does_not_matter_where_an_argument_stands(monkeypatch):
    monkeypatch.setenv("PEQUEL_TIMEOUT", "soon")
    assert pequel.configure(write_key="key", timeout=3).options.timeout == 3.0


def test_configuring_again_lets_the_old_client_finish(transport):
    """Its events are delivered, and its thread ends."""
    pequel.configure(write_key="key", transport=transport)
    pequel.track("u1", "old")
    worker = default_client()._worker()
    other = pequel.RecordingTransport()
    pequel.configure(write_key="key", transport=other)
    pequel.track("u1", "new")
    assert pequel.flush()
    assert worker.flush(10)
    assert [event["event"] for event in transport.events] == ["old"]
    assert [event["event"] for event in other.events] == ["new"]


def test_configuring_again_ends_a_client_that_somebody_holds(transport):
    """Used or not: what it had is delivered, what comes is dropped, and its thread ends."""
    unused = pequel.configure(write_key="key", transport=transport)
    used = pequel.configure(write_key="key", transport=transport)
    used.track("u1", "old")
    worker = used._worker()
    pequel.configure(write_key="key", transport=pequel.RecordingTransport())
    for client in (unused, used):
        client.track("u1", "late")
        assert client.stats().dropped_by_reason == {"shutdown": 1}
    assert used.flush(10) is True
    deadline = time.monotonic() + 10
    while not worker.ended and time.monotonic() < deadline:
        time.sleep(0.001)
    assert worker.ended
    assert [event["event"] for event in transport.events] == ["old"]


@pytest.mark.parametrize("name", ["track", "identify", "group", "page", "screen", "alias", "flush"])
def test_the_functions_show_the_signatures_of_the_methods(name):
    """Without `self`."""
    function = inspect.signature(getattr(pequel, name))
    method = inspect.signature(getattr(pequel.Client, name))
    assert list(function.parameters) == list(method.parameters)[1:]
