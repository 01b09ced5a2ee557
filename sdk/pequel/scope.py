"""Who acts, and for which account, where a call does not say.

A scope holds for a block of code, a request or a task. Scopes nest; what an inner one does not
say, the one around it may. Each thread, asyncio task and greenlet has its own.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from pequel.log import Lazy
from pequel.messages.compose import identifier, mapping

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Mapping,
    )
    from types import TracebackType

    from pequel.messages.compose import Data, Id

_P = ParamSpec("_P")
_R = TypeVar("_R")

IDS = ("user_id", "anonymous_id", "group_id")


class Scope:
    """What one block, request or task says, and the scope around it.

    Attributes:
        facts: ids by their names in Python, and other members of a message's context by theirs on
            the wire; each a value, or one that is asked for late.
        around: the scope this one is in.
        owner: who began it, and will end it; None for one that ends with its thread or task.
        shared: whether what is said later is for all who have this scope. Those of requests are:
            a framework may run parts of a request in other threads, with copies of its context.
        more: further members of a message's context, asked for late.
    """

    __slots__ = ("around", "facts", "more", "owner", "shared")

    def __init__(
        self,
        facts: Mapping[str, Any],
        around: Scope | None = None,
        *,
        owner: object = None,
        shared: bool = False,
        more: Lazy[Data] | None = None,
    ) -> None:
        self.facts = facts
        self.around = around
        self.owner = owner
        self.shared = shared
        self.more = more

    def find(self, name: str) -> object:
        """The innermost id of this name; None if no scope has one. Blank text is none."""
        found = (_said(scope.facts.get(name)) for scope in self._outwards())
        return next((id_ for id_ in found if not _absent(id_)), None)

    def context(self) -> dict[str, Any]:
        """What belongs in a message's context, without the account."""
        found: dict[str, Any] = {}
        for scope in reversed([*self._outwards()]):
            found.update((scope.more and scope.more.answer()) or {})
            said = {name: _said(fact) for name, fact in scope.facts.items() if name not in IDS}
            found.update({name: fact for name, fact in said.items() if fact is not None})
        return found

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.around


_current: ContextVar[Scope | None] = ContextVar("pequel_scope", default=None)


class Block:
    """A scope for a block of code, see `context`. Can be entered again, also by other threads."""

    def __init__(
        self, facts: Mapping[str, Any], *, shared: bool = False, more: Lazy[Data] | None = None
    ) -> None:
        self._facts = facts
        self._shared = shared
        self._more = more

    def __enter__(self) -> None:
        begin(self._facts, self, shared=self._shared, more=self._more)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end(self)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """The function, with this scope around each of its runs.

        Raises:
            TypeError: it is a generator function, whose body runs when the call is over; or no
                function at all, such as a property.
        """
        import inspect  # takes longer to import than all of the package

        if isinstance(function, classmethod | staticmethod):
            return cast("Callable[_P, _R]", type(function)(self(function.__func__)))
        if not callable(function):
            raise TypeError(f"a scope can be put around a function, not {function!r}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a scope cannot be put around a generator; use `with` inside it")
        if inspect.iscoroutinefunction(function):
            return cast("Callable[_P, _R]", self._around_coroutine(function))
        return self._around(function)

    def _around(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(function)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self:
                return function(*args, **kwargs)

        return run

    def _around_coroutine(self, function: Callable[_P, Any]) -> Callable[_P, Any]:
        @wraps(function)
        async def run(*args: _P.args, **kwargs: _P.kwargs) -> Any:
            with self:
                return await function(*args, **kwargs)

        return run


class Resumed:
    """An iterator whose steps run in the scope there was when it was made.

    For bodies of responses: they are produced when the request is over for the framework. Blocks
    that begin inside stay inside.
    """

    def __init__(self, steps: Iterable[Any]) -> None:
        self._steps = iter(steps)
        self._scope = _current.get()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._inside(self._steps.__next__)

    def close(self) -> None:
        """Close what it iterates over, if that can be closed."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            self._inside(close)

    def _inside(self, step: Callable[[], Any]) -> Any:
        before = _current.get()
        _current.set(self._scope)
        try:
            return step()
        finally:
            self._scope = _current.get()
            _current.set(before)


class ResumedAsync:
    """The same for an asynchronous iterator."""

    def __init__(self, steps: AsyncIterable[Any]) -> None:
        self._steps = aiter(steps)
        self._scope = _current.get()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        before = _current.get()
        _current.set(self._scope)
        try:
            return await self._steps.__anext__()
        finally:
            self._scope = _current.get()
            _current.set(before)


def context(
    *,
    user_id: Id | None = None,
    anonymous_id: Id | None = None,
    group_id: Id | None = None,
    **more: Any,
) -> Block:
    """Say who acts, and for which account, for a block of code or a function.

        with pequel.context(user_id="u1", group_id="acme"):
            pequel.track(event="project_created")

    Args:
        user_id: who acts, where a call gives neither a user id nor an anonymous id.
        anonymous_id: the same, while it is not known who that is.
        group_id: the account that an event falls to, where a call names none.
        **more: other members of the context of each event, such as `locale`; those that a call
            gives itself go first.

    Returns:
        A context manager, which is also a decorator for functions and coroutine functions.
    """
    return Block(_facts(user_id, anonymous_id, group_id, more))


def set_context(
    *,
    user_id: Id | None = None,
    anonymous_id: Id | None = None,
    group_id: Id | None = None,
    **more: Any,
) -> None:
    """Say the same for the rest of the request or task, or of the block that this is called in.

    Outside of all these it is for the rest of the thread, asyncio task or greenlet: not for servers
    whose threads take one request after the other. Arguments as for `context`; what is not given
    stays as it was.
    """
    facts = _facts(user_id, anonymous_id, group_id, more)
    scope = _current.get()
    if scope is None or (scope.owner is not None and not scope.shared):
        begin(facts, None)
    elif scope.shared:
        scope.facts = {**scope.facts, **facts}
    else:
        _current.set(Scope({**scope.facts, **facts}, scope.around))


def current_context() -> dict[str, Any]:
    """What is said where this is called, as `context` takes it.

    To carry it to a thread, a process or a queue:

        facts = pequel.current_context()  # here
        with pequel.context(**facts):  # there
            ...
    """
    scope = _current.get()
    if scope is None:
        return {}
    ids = {name: scope.find(name) for name in IDS}
    return {**scope.context(), **{name: id_ for name, id_ in ids.items() if id_ is not None}}


def begin(
    facts: Mapping[str, Any],
    owner: object,
    *,
    shared: bool = False,
    more: Lazy[Data] | None = None,
) -> None:
    """Begin a scope, inside the one there is."""
    _current.set(Scope(facts, _current.get(), owner=owner, shared=shared, more=more))


def end(owner: object) -> None:
    """End the innermost scope of this owner and all inside it.

    Does nothing where there is none: frameworks end some blocks in another context than they
    began them in.
    """
    scope = _current.get()
    while scope is not None and scope.owner != owner:
        scope = scope.around
    if scope is not None:
        _current.set(scope.around)


def filled_in(kind: str, fields: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a call, with what it leaves out taken from the scope; they stay as they are.

    Raises:
        InvalidMessageError: an id or the context of the call cannot be used as what it is.
    """
    scope = _current.get()
    return fields if scope is None else _filled(kind, fields, scope)


def _filled(kind: str, fields: Mapping[str, object], scope: Scope) -> dict[str, object]:
    filled = dict(fields)
    own = fields.get("context")
    merged = {**scope.context(), **({} if own is None else mapping("context", own))}
    if kind != "alias":  # which names both persons: a guess would join two for ever
        _fill_ids(filled, scope)
        _fill_account(merged if kind != "group" else filled, scope)
    if merged:
        filled["context"] = merged
    return filled


def _fill_ids(fields: dict[str, object], scope: Scope) -> None:
    own = [identifier(field, fields.get(field)) for field in ("userId", "anonymousId")]
    if own == [None, None]:
        fields["userId"] = scope.find("user_id")
        fields["anonymousId"] = scope.find("anonymous_id")


def _fill_account(fields: dict[str, object], scope: Scope) -> None:
    if _absent(fields.get("groupId")) and (account := scope.find("group_id")) is not None:
        fields["groupId"] = account


def _facts(
    user_id: Id | None, anonymous_id: Id | None, group_id: Id | None, more: dict[str, Any]
) -> dict[str, Any]:
    given = {**more, "user_id": user_id, "anonymous_id": anonymous_id, "group_id": group_id}
    return {name: fact for name, fact in given.items() if fact is not None}


def _said(fact: object) -> object:
    return fact.answer() if isinstance(fact, Lazy) else fact


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
