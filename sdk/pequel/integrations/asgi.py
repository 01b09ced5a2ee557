"""ASGI, which FastAPI and Starlette use: a scope for each request and each websocket.

    from pequel.integrations.asgi import PequelMiddleware

    app.add_middleware(PequelMiddleware, group=lambda scope: scope["state"].get("account_id"))

The functions take the ASGI scope of a request, which is a dict.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from pequel.integrations.request_scope import RequestScope, request_facts
from pequel.integrations.visitor import in_header, set_cookie
from pequel.sending import at_exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import TypeAlias

    from pequel.integrations.visitor import Visitor
    from pequel.messages.compose import Data, Id

    Connection: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App: TypeAlias = Callable[[Connection, Receive, Send], Awaitable[None]]
    Function: TypeAlias = Callable[[Connection], Id | Awaitable[Id | None] | None]
    Context: TypeAlias = Callable[[Connection], Data | Awaitable[Data | None] | None]


def logged_in(connection: Connection) -> Id | None:
    """The id of `scope["user"]`, which Starlette's AuthenticationMiddleware sets.

    This is its `identity`, else its `id`; or the user itself, if it is text or a number.
    """
    user = connection.get("user")
    if isinstance(user, str | int):
        return user
    if not getattr(user, "is_authenticated", False):
        return None
    try:
        found: Id | None = user.identity  # type: ignore[union-attr]
    except (AttributeError, NotImplementedError):  # Starlette's base class raises the latter
        found = getattr(user, "id", None)
    return found


class PequelMiddleware:
    """Sets the scope of each request and each websocket of an application.

    It lasts until the application is done: streamed bodies and background tasks are inside. When
    the server shuts down, events that wait are sent, for up to `exit_timeout` seconds.
    """

    def __init__(
        self,
        app: App,
        *,
        user: Function | None = logged_in,
        anonymous: Function | None = None,
        cookie: str | None = None,
        group: Function | None = None,
        context: Context | None = None,
        ip: bool = False,
    ) -> None:
        """Wrap an application.

        A coroutine function is awaited before the application is called, a plain one is called
        when an event needs its result.

        Args:
            app: the application.
            user: returns the user id for an ASGI scope, or None. The default reads
                `scope["user"]`.
            anonymous: the same for the anonymous id.
            cookie: the name of a cookie that keeps the anonymous id. A visitor without one gets it
                with the response, if anything was tracked.
            group: the same for the account.
            context: returns further members for the context of each event.
            ip: add the address of the client to the context.

        Raises:
            TypeError: an argument is not a function.
        """
        self.app = app
        self._request_scope = RequestScope(
            cookie=cookie, user=user, anonymous=anonymous, group=group, context=context
        )
        self._ip = ip

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Handle a request in its scope; send what waits when the server shuts down."""
        if scope["type"] == "lifespan":
            return await _lifespan(self.app, scope, receive, send)
        if scope["type"] not in {"http", "websocket"}:
            return await self.app(scope, receive, send)
        path = scope.get("path", "")  # which older routers shorten
        facts = partial(facts_of, scope, path, ip=self._ip)
        cookie, visitor = self._request_scope.cookie, None
        if cookie is not None:
            visitor = in_header(cookie, _header(scope, b"cookie") or "")
            send = _with_cookie(cookie, visitor, scope, send)
        with await self._request_scope.scope_async(scope, facts, visitor):
            return await self.app(scope, receive, send)


async def _lifespan(app: App, scope: Connection, receive: Receive, send: Send) -> None:
    """Run the lifespan of an application, also of one that supports none, and flush at its end.

    Servers such as uvicorn end their process by a signal, so that exit handlers do not run.
    """
    supported = False

    async def receive_for_app() -> MutableMapping[str, Any]:
        nonlocal supported
        supported = True
        return await receive()

    async def flush_then_send(message: MutableMapping[str, Any]) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            await _flush()
        await send(message)

    try:
        await app(scope, receive_for_app, flush_then_send)
    except Exception:
        if supported:
            raise
    if not supported:
        for _ in ("startup", "shutdown"):
            message = await receive()
            await flush_then_send({"type": f"{message['type']}.complete"})


async def _flush() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # a loop of another library
        at_exit.flush_before("at exit")
    else:
        await asyncio.to_thread(at_exit.flush_before, "at exit")


def facts_of(connection: Connection, path: str, *, ip: bool) -> dict[str, Any]:
    """Path, user agent and address, read when needed: middleware may correct the address."""
    address = (connection.get("client") or [None])[0] if ip else None
    return request_facts(path, _header(connection, b"user-agent"), address)


def _header(connection: Connection, name: bytes) -> str | None:
    headers = connection.get("headers", ())
    return next((value.decode("latin-1") for found, value in headers if found == name), None)


def _with_cookie(name: str, visitor: Visitor, connection: Connection, send: Send) -> Send:
    secure = connection.get("scheme") in {"https", "wss"}

    async def send_with_cookie(message: MutableMapping[str, Any]) -> None:
        if message["type"] in {"http.response.start", "websocket.accept"}:
            added = set_cookie(name, visitor, secure=secure)
            encoded = [(n.lower().encode(), value.encode()) for n, value in added]
            message = {**message, "headers": [*message.get("headers", ()), *encoded]}
        await send(message)

    return send_with_cookie
