"""The default client, behind the functions of the package."""

from __future__ import annotations

import os
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from pequel import config
from pequel.client import Client
from pequel.errors import ConfigError
from pequel.reporter import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from pequel.reporter import OnError
    from pequel.transport import Transport

_P = ParamSpec("_P")
_R = TypeVar("_R")

_clients: dict[str, Client] = {}


def configure(
    write_key: str | None = None,
    host: str | None = None,
    *,
    on_error: OnError | None = None,
    transport: Transport | None = None,
    **options: Any,
) -> Client:
    """Make the default client anew, and return it.

    What is not given here is taken from the environment, then from the defaults: `write_key`
    from PEQUEL_WRITE_KEY, `host` from PEQUEL_HOST, and so on for every setting in
    `pequel.config.Options`. A default client there was before sends what it has and ends.

    Raises:
        ConfigError: a setting is unknown or cannot have this value.
    """
    given = {"write_key": write_key, "host": host, **options}
    given = {name: value for name, value in given.items() if value is not None}
    client = _made({**config.from_environment(os.environ), **given}, on_error, transport)
    _clients["default"] = client
    return client


def default_client() -> Client:
    """The default client; made from the environment if nobody configured one.

    Never raises: if the environment is wrong, that is logged, and everything is dropped.
    """
    client = _clients.get("default")
    return client if client is not None else _clients.setdefault("default", _from_environment())


def _from_environment() -> Client:
    try:
        return _made(config.from_environment(os.environ))
    except ConfigError as error:
        logger.error("the environment is not usable: %s", error)
        return Client("")


def _made(
    settings: dict[str, Any],
    on_error: OnError | None = None,
    transport: Transport | None = None,
) -> Client:
    return Client(**{"write_key": "", **settings}, on_error=on_error, transport=transport)


def _on_default(method: Callable[Concatenate[Client, _P], _R]) -> Callable[_P, _R]:
    """The method as a function that calls it on the default client."""

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return method(default_client(), *args, **kwargs)

    update_wrapper(call, method)
    call.__dict__["__wrapped__"] = partial(cast("Any", method), None)  # hides `self`
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
