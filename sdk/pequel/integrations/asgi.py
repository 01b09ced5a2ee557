"""ASGI, so FastAPI and Starlette: a scope for each request and each websocket.

    from pequel.integrations.asgi import PequelMiddleware

    app.add_middleware(PequelMiddleware, group=lambda scope: scope["state"].get("account_id"))

A function is given the ASGI scope of a request, which is a dict.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pequel.integrations.request_scope import RequestScope, page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import TypeAlias

    from pequel.messages.compose import Data, Id

    Connection: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App: TypeAlias = Callable[[Connection, Receive, Send], Awaitable[None]]
    Answer: TypeAlias = Callable[[Connection], Id | Awaitable[Id | None] | None]
    Context: TypeAlias = Callable[[Connection], Data | Awaitable[Data | None] | None]


def logged_in(connection: Connection) -> Id | None:
    """The id of `scope["user"]`, as Starlette's AuthenticationMiddleware puts it there.

    That is its `identity`, else its `id`; or itself, where it is text or a number.
    """
    user = connection.get("user")
    if isinstance(user, str | int):
        return user
    if not getattr(user, "is_authenticated", False):
        return None
    try:
        found: Id | None = user.identity  # type: ignore[union-attr]
    except (AttributeError, NotImplementedError):  # the latter is what Starlette's base class does
        found = getattr(user, "id", None)
    return found


class PequelMiddleware:
    """Sets the scope of each request and each websocket of an application.

    It holds until the application is done: for streamed bodies and background tasks too.
    """

    def __init__(
        self,
        app: App,
        *,
        user: Answer | None = logged_in,
        anonymous: Answer | None = None,
        group: Answer | None = None,
        context: Context | None = None,
        ip: bool = False,
    ) -> None:
        """Put it around an application.

        A coroutine function is asked before the application is called, a plain one when something
        is tracked.

        Args:
            app: the application.
            user: gives the user id of a request, from its ASGI scope; None where there is none.
                Reads `scope["user"]` if not given.
            anonymous: the same for the anonymous id.
            group: the same for the account.
            context: gives further members of the context of each event.
            ip: whether the address of whoever asks is one.

        Raises:
            TypeError: one is no function.
        """
        self.app = app
        self._questions = RequestScope(user=user, anonymous=anonymous, group=group, context=context)
        self._ip = ip

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer a request, in its scope."""
        if scope["type"] not in {"http", "websocket"}:
            return await self.app(scope, receive, send)
        path = scope.get("path", "")  # which older routers shorten
        facts = partial(facts_of, scope, path, ip=self._ip)
        with await self._questions.scope_async(scope, facts):
            return await self.app(scope, receive, send)


def facts_of(connection: Connection, path: str, *, ip: bool) -> dict[str, Any]:
    """What a request says by itself; late, since others may correct the address meanwhile."""
    headers = connection.get("headers", ())
    agent = next(
        (value.decode("latin-1") for name, value in headers if name == b"user-agent"), None
    )
    address = (connection.get("client") or [None])[0] if ip else None
    return page(path, agent, address)
