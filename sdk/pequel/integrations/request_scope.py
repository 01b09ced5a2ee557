"""The scope of a request, from functions that the application gives."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias

from pequel.integrations.visitor import Visitor, checked_name
from pequel.log import LogOnce
from pequel.scope import Block, Lazy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Function: TypeAlias = Callable[[Any], Any]
    Facts: TypeAlias = dict[str, Any]

NAMES = {"user": "user_id", "anonymous": "anonymous_id", "group": "group_id", "context": "context"}


class RequestScope:
    """Makes the scope of each request, from the functions `user`, `anonymous`, `group`, `context`.

    A function is called when an event first needs its result, so a request that tracks nothing
    costs next to nothing, and a user who logs in during a request is known from then on. A result
    other than None is kept for the request. Exceptions are logged, once for each function.

    Coroutine functions cannot be called in the middle of a call. They are awaited before the
    application is called, and only where there is an event loop.
    """

    def __init__(self, *, cookie: str | None = None, **functions: Function | None) -> None:
        """Take functions of a request, by name, and the name of a cookie with the anonymous id.

        Raises:
            TypeError: a name is unknown, an argument is neither a function nor None, the cookie's
                name cannot be one, or there are both a cookie and a function `anonymous`.
        """
        self.cookie = checked_name(cookie)
        if cookie is not None and functions.get("anonymous") is not None:
            raise TypeError("give either cookie or anonymous")
        unknown = functions.keys() - NAMES.keys()
        if unknown:
            names = ", ".join(sorted(unknown))
            raise TypeError(f"unknown name: {names}; the names are {', '.join(NAMES)}")
        given = {name: one for name, one in functions.items() if one is not None}
        for name, one in given.items():
            if not callable(one):
                raise TypeError(f"{name} must be a function, not {type(one).__name__}")
        coroutine = {name for name, one in given.items() if iscoroutinefunction(one)}
        self._coroutine_functions = {NAMES[n]: _awaiting(n, given[n]) for n in coroutine}
        self._functions = {NAMES[n]: _calling(n, given[n]) for n in given.keys() - coroutine}

    def without_loop(self) -> RequestScope:
        """Itself, if it can be used without an event loop.

        Raises:
            TypeError: there are coroutine functions.
        """
        if self._coroutine_functions:
            names = [name for name, field in NAMES.items() if field in self._coroutine_functions]
            raise TypeError(f"{', '.join(names)} must not be asynchronous here")
        return self

    def scope(
        self, request: object, facts: Callable[[], Facts], visitor: Visitor | None = None
    ) -> Block:
        """The scope of a request; `facts` returns its path, user agent and address."""
        return self._scope(request, facts, visitor, {})

    async def scope_async(
        self, request: object, facts: Callable[[], Facts], visitor: Visitor | None = None
    ) -> Block:
        """The same, with the results of coroutine functions."""
        known = {name: await one(request) for name, one in self._coroutine_functions.items()}
        return self._scope(request, facts, visitor, known)

    def _scope(
        self,
        request: object,
        facts: Callable[[], Facts],
        visitor: Visitor | None,
        known: Facts,
    ) -> Block:
        lazy = {name: Lazy(partial(one, request)) for name, one in self._functions.items()}
        if visitor is not None:
            lazy["anonymous_id"] = Lazy(visitor.id)
        ids = {name: fact for name, fact in {**lazy, **known}.items() if name != "context"}
        own = lazy.get("context") or Lazy(lambda: known.get("context"))
        return Block(ids, shared=True, more=Lazy(lambda: {**facts(), **(own.value() or {})}))


def request_facts(path: str, user_agent: str | None, ip: str | None = None) -> Facts:
    """What is known of any request, as members of a message's context."""
    facts = {"page": {"path": path}, "userAgent": user_agent, "ip": ip}
    return {name: fact for name, fact in facts.items() if fact}


def _calling(name: str, function: Function) -> Function:
    errors, convert = _log_once(name), _converter(name)

    def call(request: object) -> Any:
        with errors:
            return convert(function(request))
        return None

    return call


def _awaiting(name: str, function: Function) -> Callable[[Any], Awaitable[Any]]:
    errors, convert = _log_once(name), _converter(name)

    async def call(request: object) -> Any:
        with errors:
            return convert(await function(request))
        return None

    return call


def _log_once(name: str) -> LogOnce:
    return LogOnce(f"the function for {name!r}", "so its result is taken as None")


def _converter(name: str) -> Callable[[Any], Any]:
    """An id is checked when it is used; a context must be a mapping now."""
    return (lambda found: dict(found or {})) if name == "context" else (lambda found: found)
