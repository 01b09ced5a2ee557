"""What an application says about its requests, by functions of a request."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias

from pequel.log import Lazy, LogOnce
from pequel.scope import Block

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Ask: TypeAlias = Callable[[Any], Any]
    Answers: TypeAlias = dict[str, Any]
    Facts: TypeAlias = Callable[[], Answers]

NAMES = {"user": "user_id", "anonymous": "anonymous_id", "group": "group_id", "context": "context"}


class RequestScope:
    """The functions that an application gave: `user`, `anonymous`, `group` and `context`.

    They are asked when something is first tracked that needs the answer: a request that tracks
    nothing costs next to nothing, and who logs in during a request is known from then on. An answer
    is kept for the request once it is not None. What they raise is logged, once for each.

    Coroutine functions cannot be asked in the middle of a call. Where there is a loop, they are
    asked before the request goes on.
    """

    def __init__(self, **functions: Ask | None) -> None:
        """Take functions by name; None is none.

        Raises:
            TypeError: a name is unknown, or one is no function.
        """
        unknown = functions.keys() - NAMES.keys()
        if unknown:
            raise TypeError(f"no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
        given = {name: ask for name, ask in functions.items() if ask is not None}
        for name, ask in given.items():
            if not callable(ask):
                raise TypeError(f"{name} must be a function, not {type(ask).__name__}")
        slow = {name for name, ask in given.items() if iscoroutinefunction(ask)}
        self._slow = {NAMES[name]: _awaited(name, given[name]) for name in slow}
        self._asks = {NAMES[name]: _asked(name, given[name]) for name in given.keys() - slow}

    def without_loop(self) -> RequestScope:
        """The same, where there is no loop.

        Raises:
            TypeError: there are coroutine functions.
        """
        if self._slow:
            names = [name for name, field in NAMES.items() if field in self._slow]
            raise TypeError(f"{', '.join(names)} must not be asynchronous here")
        return self

    def scope(self, request: object, facts: Facts) -> Block:
        """The scope of a request, which says these facts by itself when they are needed."""
        return self._scope(request, facts, {})

    async def scope_async(self, request: object, facts: Facts) -> Block:
        """The same, with the answers of coroutine functions."""
        known = {name: await ask(request) for name, ask in self._slow.items()}
        return self._scope(request, facts, known)

    def _scope(self, request: object, facts: Facts, known: Answers) -> Block:
        late = {name: Lazy(partial(ask, request)) for name, ask in self._asks.items()}
        ids = {name: fact for name, fact in {**late, **known}.items() if name != "context"}
        asked = late.get("context") or Lazy(lambda: known.get("context"))
        return Block(ids, shared=True, more=Lazy(lambda: {**facts(), **(asked.answer() or {})}))


def page(path: str, user_agent: str | None, ip: str | None = None) -> Answers:
    """What a request says by itself, as members of a message's context."""
    facts = {"page": {"path": path}, "userAgent": user_agent, "ip": ip}
    return {name: fact for name, fact in facts.items() if fact}


def _asked(name: str, ask: Ask) -> Ask:
    forgiving, read = _forgiving(name), _reader(name)

    def asked(request: object) -> Any:
        with forgiving:
            return read(ask(request))
        return None

    return asked


def _awaited(name: str, ask: Ask) -> Callable[[Any], Awaitable[Any]]:
    forgiving, read = _forgiving(name), _reader(name)

    async def awaited(request: object) -> Any:
        with forgiving:
            return read(await ask(request))
        return None

    return awaited


def _forgiving(name: str) -> LogOnce:
    return LogOnce(f"the function for {name!r}", "and so it is taken to say nothing")


def _reader(name: str) -> Callable[[Any], Any]:
    """An id is looked at when it is used; what is no mapping is no context."""
    return (lambda answer: dict(answer or {})) if name == "context" else (lambda answer: answer)
