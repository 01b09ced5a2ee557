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

    from pequel.decorator import Decorator, Properties, Who
    from pequel.errors import Reason
    from pequel.sending.callbacks import OnError, OnQualified
    from pequel.sending.http_transport import Sessions
    from pequel.sending.transport import Transport

_P = ParamSpec("_P")
_R = TypeVar("_R")

_clients: dict[str, Client] = {}
_stand_ins: list[Client] = []  # the last of them goes before the one that was configured


def configure(
    write_key: str | None = None,
    host: str | None = None,
    *,
    on_error: OnError | None = None,
    on_qualified: OnQualified | None = None,
    transport: Transport | None = None,
    session: Sessions | None = None,
    proxies: Mapping[str, str] | None = None,
    **options: Any,
) -> Client:
    """Make the default client anew, and return it.

    What is not given here is taken from the environment, then from the defaults: `write_key`
    from PEQUEL_WRITE_KEY, `host` from PEQUEL_HOST, and so on for every setting in
    `pequel.config.Options`. The other arguments are those of `Client`. A default client there
    was before sends what it has and ends; nobody waits for it, and calls on it are dropped.

    Raises:
        ConfigError: a setting is unknown or cannot have this value.
    """
    given = {"write_key": write_key, "host": host, **options}
    given = {name: value for name, value in given.items() if value is not None}
    parts = {
        "on_error": on_error,
        "on_qualified": on_qualified,
        "transport": transport,
        "session": session,
        "proxies": proxies,
    }
    found = config.from_environment(os.environ, set(config.Options._fields) - given.keys())
    client = _made({**found, **given}, **parts)
    before = _clients.get("default")
    _clients["default"] = client
    if before is not None:
        before.retire()  # somebody may hold it
    return default_client()


def default_client() -> Client:
    """The default client; made from the environment if nobody configured one.

    Never raises: if the environment is wrong, everything is dropped, and said why.
    """
    if _stand_ins:
        return _stand_ins[-1]
    client = _clients.get("default")
    return client if client is not None else _clients.setdefault("default", _from_environment())


@contextmanager
def stand_in(client: Client) -> Iterator[None]:
    """Let another client be the default for a block.

    One that is configured meanwhile becomes the default at the end of the outermost such block,
    so that a test may call the code that configures.
    """
    _stand_ins.append(client)
    try:
        yield
    finally:
        _stand_ins.remove(client)


class _Unusable(Client):
    """A client that drops everything, and says why."""

    def __init__(self, why: str) -> None:
        super().__init__("")
        self._why = why

    def _refusal(self, reason: Reason) -> str:
        return self._why if reason == "unauthorized" else super()._refusal(reason)


def _from_environment() -> Client:
    try:
        return _made(config.from_environment(os.environ))
    except ConfigError as error:
        return _Unusable(f"the environment is not usable: {error}")


def _made(settings: dict[str, Any], **parts: Any) -> Client:
    return Client(**{"write_key": "", **settings}, **parts)


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


def tracked(event: str, *, properties: Properties = None, user_id: Who = None) -> Decorator:
    """Track an event whenever a function has done its work, see `Client.tracked`."""
    return decorator.Tracked(track, event, properties, user_id)
