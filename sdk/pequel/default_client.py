"""The default client, behind the functions of the package."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from pequel import config, decorator
from pequel.client import Client
from pequel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pequel.decorator import Decorator, Properties, UserId
    from pequel.errors import Reason
    from pequel.messages.compose import Data
    from pequel.sending.callbacks import BeforeSend, OnError, OnQualified
    from pequel.sending.http_transport import Sessions
    from pequel.sending.transport import Transport

_P = ParamSpec("_P")
_R = TypeVar("_R")

_clients: dict[str, Client] = {}
_replacements: list[Client] = []  # the last one is used in place of the configured one


def configure(
    write_key: str | None = None,
    host: str | None = None,
    *,
    on_error: OnError | None = None,
    on_qualified: OnQualified | None = None,
    before_send: BeforeSend | None = None,
    properties: Data | None = None,
    context: Data | None = None,
    transport: Transport | None = None,
    session: Sessions | None = None,
    proxies: Mapping[str, str] | None = None,
    **options: Any,
) -> Client:
    """Make a new default client, and return it.

    Settings that you do not give come from the environment, then from the defaults: `write_key`
    from PEQUEL_WRITE_KEY, `host` from PEQUEL_HOST, and so on for every setting in
    `pequel.config.Options`. The other arguments are those of `Client`. An earlier default client
    sends what it has and ends, without delaying this call; later calls on it are dropped.

    Raises:
        ConfigError: a setting is unknown, or a setting or an argument has a wrong value.
    """
    given = {"write_key": write_key, "host": host, **options}
    given = {name: value for name, value in given.items() if value is not None}
    arguments = {
        "on_error": on_error,
        "on_qualified": on_qualified,
        "before_send": before_send,
        "properties": properties,
        "context": context,
        "transport": transport,
        "session": session,
        "proxies": proxies,
    }
    found = config.from_environment(os.environ, set(config.Options._fields) - given.keys())
    client = _new_client({**found, **given}, **arguments)
    before = _clients.get("default")
    _clients["default"] = client
    if before is not None:
        before.retire()  # the application may still hold it
    return default_client()


def default_client() -> Client:
    """The default client, made from the environment if `configure` was not called.

    Never raises: with a wrong environment the client drops every event, and the log says why.
    """
    if _replacements:
        return _replacements[-1]
    client = _clients.get("default")
    return client if client is not None else _clients.setdefault("default", _from_environment())


@contextmanager
def replaced_by(client: Client) -> Iterator[None]:
    """Use another client as the default for a block.

    A test may call code that configures a client inside: that one becomes the default at the end
    of the outermost such block.
    """
    _replacements.append(client)
    try:
        yield
    finally:
        _replacements.remove(client)


class _UnusableClient(Client):
    """A client that drops every event for a wrong environment."""

    def __init__(self, why: str) -> None:
        super().__init__("")
        self._why = why

    def _detail(self, reason: Reason) -> str:
        return self._why if reason == "unauthorized" else super()._detail(reason)


def _from_environment() -> Client:
    try:
        return _new_client(config.from_environment(os.environ))
    except ConfigError as error:
        return _UnusableClient(f"the environment is wrong: {error}")


def _new_client(settings: dict[str, Any], **arguments: Any) -> Client:
    return Client(**{"write_key": "", **settings}, **arguments)


def _on_default(method: Callable[Concatenate[Client, _P], _R]) -> Callable[_P, _R]:
    """The method as a function that calls it on the default client."""

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return method(default_client(), *args, **kwargs)

    update_wrapper(call, method)
    call.__dict__["__wrapped__"] = partial(cast("Any", method), None)  # hides `self` from help()
    return call


track = _on_default(Client.track)
identify = _on_default(Client.identify)
group = _on_default(Client.group)
page = _on_default(Client.page)
screen = _on_default(Client.screen)
alias = _on_default(Client.alias)
flush = _on_default(Client.flush)
shutdown = _on_default(Client.shutdown)
stats = _on_default(Client.stats)


def tracked(event: str, *, properties: Properties = None, user_id: UserId = None) -> Decorator:
    """Track an event for each call of a function that succeeds, see `Client.tracked`."""
    return decorator.Tracked(track, event, properties, user_id)
