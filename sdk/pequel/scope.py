"""The scope: ids and context that fill in what a call leaves out.

A scope holds for a block of code, a request or a task. Scopes nest, and the inner one wins. Each
thread, asyncio task and greenlet has its own, since it is a context variable.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import get_ident
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from pequel.messages.compose import InvalidMessageError, identifier, mapping

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Mapping,
    )

    from pequel.messages.compose import Data, Id, Timestamp

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T_co = TypeVar("_T_co", covariant=True)

IDS = ("user_id", "anonymous_id", "group_id")
_NOT_CONTEXT = (*IDS, "timestamp")


class Lazy(Generic[_T_co]):
    """A value that is computed when it is first needed, and kept once it is not None."""

    __slots__ = ("_compute", "_computing_thread", "_value")

    def __init__(self, compute: Callable[[], _T_co | None]) -> None:
        self._compute = compute
        self._value: _T_co | None = None
        self._computing_thread = 0

    def value(self) -> _T_co | None:
        """The value; None inside the function that computes it, and before it has one."""
        if self._value is None and self._computing_thread != get_ident():
            self._computing_thread = get_ident()
            try:
                self._value = self._compute()
            finally:
                self._computing_thread = 0
        return self._value


class Scope:
    """The ids and context of one block, request or task, and the scope around it.

    Attributes:
        facts: ids by their Python names, and members of a message's context by their names on
            the wire; each is a value or a `Lazy`.
        around: the scope that this one is in.
        owner: the object that began it, and will end it; None if it ends with its thread or task.
        shared: whether `set_context` changes it for everyone who has this scope. True for
            requests: frameworks run parts of a request in other threads, with copies of its
            context.
        more: further members of a message's context.
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
        """The innermost id of this name that is not blank; None if no scope has one."""
        ids = (_value_of(scope.facts.get(name)) for scope in self._outwards())
        return next((id_ for id_ in ids if not _is_blank(id_)), None)

    def may_have(self, name: str) -> bool:
        """Whether some scope has an id of this name, or a function that may return one."""
        return any(name in scope.facts for scope in self._outwards())

    def context(self) -> dict[str, Any]:
        """The members for a message's context, without the account."""
        found: dict[str, Any] = {}
        for scope in reversed([*self._outwards()]):
            found.update((scope.more and scope.more.value()) or {})
            members = {
                name: _value_of(f) for name, f in scope.facts.items() if name not in _NOT_CONTEXT
            }
            found.update({name: fact for name, fact in members.items() if fact is not None})
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

    def __exit__(self, *exception: object) -> None:
        end(self)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Wrap a function so that each call runs in this scope.

        Raises:
            TypeError: it is not a function, such as a property; or it is a generator function,
                whose body runs after the call has returned.
        """
        import inspect  # takes longer to import than all of the package

        if isinstance(function, classmethod | staticmethod):
            return cast("Callable[_P, _R]", type(function)(self(function.__func__)))
        if not callable(function):
            raise TypeError(f"pequel.context can decorate a function, not {function!r}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("pequel.context cannot decorate a generator; use `with` inside it")
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


class _InScope:
    """An iterator's steps in the scope that was current when it was made."""

    def __init__(self, steps: Any) -> None:
        self._steps = steps
        self._scope = _current.get()

    @contextmanager
    def _step(self) -> Iterator[None]:
        before = _current.get()
        _current.set(self._scope)
        try:
            yield
        finally:
            self._scope = _current.get()
            _current.set(before)


class Resumed(_InScope):
    """An iterator whose steps run in the scope that was current when it was made.

    For the bodies of responses: a framework ends the request before it streams the body. Scopes
    that begin inside the iterator stay inside it.
    """

    def __init__(self, steps: Iterable[Any]) -> None:
        super().__init__(iter(steps))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with self._step():
            return next(self._steps)

    def close(self) -> None:
        """Close the inner iterator, if it has a method `close`."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            with self._step():
                close()


class ResumedAsync(_InScope):
    """The same as `Resumed` for an asynchronous iterator."""

    def __init__(self, steps: AsyncIterable[Any]) -> None:
        super().__init__(aiter(steps))

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        with self._step():
            return await anext(self._steps)


def context(
    *,
    user_id: Id | None = None,
    anonymous_id: Id | None = None,
    group_id: Id | None = None,
    timestamp: Timestamp | None = None,
    **more: Any,
) -> Block:
    """Set the user and the account for a block of code or a function.

        with pequel.context(user_id="u1", group_id="acme"):
            pequel.track(event="project_created")

    Args:
        user_id: the user of calls that give neither a user id nor an anonymous id.
        anonymous_id: the anonymous id of such calls.
        group_id: the account of calls that name none.
        timestamp: the time of calls that give none, to load what happened earlier.
        **more: other members of the context of each event, such as `locale`. Those that a call
            gives itself win.

    Returns:
        A context manager, which is also a decorator for functions and coroutine functions.
    """
    return Block(_facts(user_id, anonymous_id, group_id, timestamp, more))


def set_context(
    *,
    user_id: Id | None = None,
    anonymous_id: Id | None = None,
    group_id: Id | None = None,
    timestamp: Timestamp | None = None,
    **more: Any,
) -> None:
    """Set the same for the rest of the current block, request or task.

    Outside of these it holds for the rest of the thread, asyncio task or greenlet. Do not use it
    there in a server whose threads handle one request after another. The arguments are those of
    `context`; what you do not give stays as it was.
    """
    facts = _facts(user_id, anonymous_id, group_id, timestamp, more)
    scope = _current.get()
    if scope is None or (scope.owner is not None and not scope.shared):
        begin(facts, None)
    elif scope.shared:
        scope.facts = {**scope.facts, **facts}
    else:
        _current.set(Scope({**scope.facts, **facts}, scope.around))


def current_context() -> dict[str, Any]:
    """What the current scope holds, as arguments for `context`.

    To carry it to a thread, a process or a queue:

        facts = pequel.current_context()  # here
        with pequel.context(**facts):  # there
            ...
    """
    scope = _current.get()
    if scope is None:
        return {}
    found = {name: scope.find(name) for name in _NOT_CONTEXT}
    return {**scope.context(), **{name: fact for name, fact in found.items() if fact is not None}}


def begin(
    facts: Mapping[str, Any],
    owner: object,
    *,
    shared: bool = False,
    more: Lazy[Data] | None = None,
) -> None:
    """Begin a scope inside the current one."""
    _current.set(Scope(facts, _current.get(), owner=owner, shared=shared, more=more))


def end(owner: object) -> None:
    """End the innermost scope of this owner, and all inside it.

    Does nothing if there is none: frameworks end some blocks in another context than the one in
    which they began them.
    """
    scope = _current.get()
    while scope is not None and scope.owner != owner:
        scope = scope.around
    if scope is not None:
        _current.set(scope.around)


def in_scope() -> bool:
    """Whether there is a scope."""
    return _current.get() is not None


def filled_in(kind: str, fields: dict[str, object]) -> dict[str, object]:
    """A copy of the fields of a call, with what it leaves out filled in from the scope.

    Raises:
        InvalidMessageError: an id or the context of the call has the wrong type.
    """
    filled, scope = dict(fields), _current.get()
    if scope is None:
        return filled
    own = fields.get("context")
    merged = {**scope.context(), **({} if own is None else mapping("context", own))}
    moment = scope.find("timestamp")
    if moment is not None and _is_blank(fields.get("timestamp")):
        filled["timestamp"] = moment
    if kind != "alias":  # a guess would join two users for ever
        _fill_ids(kind, filled, scope)
        _fill_account(kind, filled, merged, scope)
    if merged:
        filled["context"] = merged
    return filled


def _fill_ids(kind: str, fields: dict[str, object], scope: Scope) -> None:
    own = [identifier(field, fields.get(field)) for field in ("userId", "anonymousId")]
    if own == [None, None]:
        fields["userId"] = scope.find("user_id")
        fields["anonymousId"] = scope.find("anonymous_id")
    elif own[1] is None and scope.may_have("anonymous_id") and _is_visitor(kind, own[0], scope):
        fields["anonymousId"] = scope.find("anonymous_id")


def _is_visitor(kind: str, user_id: str | None, scope: Scope) -> bool:
    """Whether the scope's visitor is this user.

    An event of another user, such as an invitation, must not join the visitor to that user.
    """
    try:
        known = identifier("userId", scope.find("user_id"))
    except InvalidMessageError:
        return False
    return known == user_id or (known is None and kind == "identify")


def _fill_account(
    kind: str, fields: dict[str, object], context: dict[str, Any], scope: Scope
) -> None:
    target = fields if kind == "group" else context
    if not (_is_blank(fields.get("groupId")) and _is_blank(target.get("groupId"))):
        return
    if (account := scope.find("group_id")) is not None:
        target["groupId"] = account


def _facts(
    user_id: Id | None,
    anonymous_id: Id | None,
    group_id: Id | None,
    timestamp: Timestamp | None,
    more: dict[str, Any],
) -> dict[str, Any]:
    ids = {"user_id": user_id, "anonymous_id": anonymous_id, "group_id": group_id}
    given = {**more, **ids, "timestamp": timestamp}
    return {name: fact for name, fact in given.items() if fact is not None}


def _value_of(fact: object) -> object:
    return fact.value() if isinstance(fact, Lazy) else fact


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
