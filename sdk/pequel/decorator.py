"""Tracking what a function does, by a decorator."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from pequel.log import LogOnce
from pequel.messages.compose import mapping

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from typing import TypeAlias

    from pequel.messages.compose import Data, Id

    Properties: TypeAlias = Data | Callable[..., Data | None] | None
    Who: TypeAlias = str | Callable[..., Id | None] | None

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Decorator(Protocol):
    """Gives a function of the same signature."""

    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]:
        """The function, decorated."""


class Track(Protocol):
    """As much of a client's `track` as is needed here."""

    def __call__(self, *, user_id: Id | None, event: str, properties: Data | None) -> None:
        """Record that somebody did something."""


class Tracked:
    """Tracks an event whenever a function has done its work."""

    def __init__(
        self, track: Track, event: str, properties: Properties = None, user_id: Who = None
    ) -> None:
        if not isinstance(event, str):
            raise TypeError(f"tracked needs the name of an event, not {event!r}")
        self._track = track
        self._event = event
        self._properties = properties
        self._user_id = user_id

    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]:
        """The function, tracked.

        Raises:
            TypeError: it is no function, such as a property, or `user_id` names no argument of it.
        """
        import inspect  # takes longer to import than all of the package

        if isinstance(function, classmethod | staticmethod):
            return cast("Callable[_P, _R]", type(function)(self(function.__func__)))
        if not callable(function):
            raise TypeError(f"tracked needs a function, not {function!r}")
        done = self._report(function)
        ways = (
            (inspect.isasyncgenfunction, _async_generator),
            (inspect.iscoroutinefunction, _coroutine),
            (inspect.isgeneratorfunction, _generator),
        )
        way = next((way for is_kind, way in ways if is_kind(function)), _function)
        return cast("Callable[_P, _R]", wraps(function)(way(function, done)))

    def _report(self, function: Callable[..., object]) -> _Report:
        who = self._user_id
        if isinstance(who, str):
            who = _argument(function, who)
        return _Report(self._track, self._event, self._properties, who)


class _Report:
    """Tracks that a function returned."""

    def __init__(
        self,
        track: Track,
        event: str,
        properties: Properties,
        user_id: Callable[..., Id | None] | None,
    ) -> None:
        self._track = track
        self._event = event
        self._properties = properties
        self._user_id = user_id
        self._nobody = LogOnce(f"user_id of {event}", "and so it is not tracked")
        self._nothing = LogOnce(f"properties of {event}", "and so it is tracked without them")

    def __call__(self, result: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        with self._nobody:
            who = None if self._user_id is None else self._user_id(result, *args, **kwargs)
            said = self._said(result, args, kwargs)
            self._track(user_id=who, event=self._event, properties=said)

    def _said(
        self, result: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Data | None:
        with self._nothing:
            given = self._properties
            said = given(result, *args, **kwargs) if callable(given) else given
            return None if said is None else mapping("properties", said)
        return None


def _argument(function: Callable[..., object], name: str) -> Callable[..., Any]:
    """Finds an argument of the function among those of a call."""
    import inspect

    signature = inspect.signature(function)
    if name not in signature.parameters:
        raise TypeError(f"{function!r} has no argument {name!r}")

    def find(_result: object, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return given.arguments[name]

    return find


def _function(function: Callable[..., Any], done: _Report) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        done(result, args, kwargs)
        return result

    return run


def _coroutine(function: Callable[..., Any], done: _Report) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        result = await function(*args, **kwargs)
        done(result, args, kwargs)
        return result

    return run


def _generator(function: Callable[..., Any], done: _Report) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        result = yield from function(*args, **kwargs)
        done(result, args, kwargs)
        return result

    return run


def _async_generator(function: Callable[..., Any], done: _Report) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        step = inner.__anext__()
        while True:  # what `yield from` does, which async generators lack
            try:
                item = await step
            except StopAsyncIteration:
                break
            try:
                step = inner.asend((yield item))
            except GeneratorExit:
                await inner.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 - it is for the inner one to handle
                step = inner.athrow(error)
        done(None, args, kwargs)

    return run
