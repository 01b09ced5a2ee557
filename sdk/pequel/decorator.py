"""The decorator `tracked`: an event for each successful call of a function."""

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
    UserId: TypeAlias = str | Callable[..., Id | None] | None

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Decorator(Protocol):
    """The type of a decorator that keeps the signature of a function."""

    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]:
        """Return the decorated function."""


class Tracked:
    """A decorator that tracks an event whenever a function has finished without an exception."""

    def __init__(
        self,
        track: Callable[..., None],
        event: str,
        properties: Properties = None,
        user_id: UserId = None,
    ) -> None:
        if not isinstance(event, str):
            raise TypeError(f"the event of tracked must be text, not {event!r}")
        self._track = track
        self._event = event
        self._properties = properties
        self._user_id = user_id

    def __call__(self, function: Callable[_P, _R], /) -> Callable[_P, _R]:
        """Wrap a function, a coroutine function or a generator function.

        Raises:
            TypeError: it is not a function, such as a property, or it has no argument of the
                name that `user_id` gives.
        """
        import inspect  # takes longer to import than all of the package

        if isinstance(function, classmethod | staticmethod):
            return cast("Callable[_P, _R]", type(function)(self(function.__func__)))
        if not callable(function):
            raise TypeError(f"tracked can decorate a function, not {function!r}")
        done = self._track_result(function)
        ways = (
            (inspect.isasyncgenfunction, _async_generator),
            (inspect.iscoroutinefunction, _coroutine),
            (inspect.isgeneratorfunction, _generator),
        )
        way = next((way for is_kind, way in ways if is_kind(function)), _function)
        return cast("Callable[_P, _R]", wraps(function)(way(function, done)))

    def _track_result(self, function: Callable[..., object]) -> _TrackResult:
        user_id = self._user_id
        if isinstance(user_id, str):
            user_id = _argument(function, user_id)
        return _TrackResult(self._track, self._event, self._properties, user_id)


class _TrackResult:
    """Tracks the result of one call."""

    def __init__(
        self,
        track: Callable[..., None],
        event: str,
        properties: Properties,
        user_id: Callable[..., Id | None] | None,
    ) -> None:
        self._track = track
        self._event = event
        self._properties = properties
        self._user_id = user_id
        self._user_id_errors = LogOnce(
            f"the function for user_id of {event!r}", "so the event is not tracked"
        )
        self._properties_errors = LogOnce(
            f"the function for properties of {event!r}", "so the event is tracked without them"
        )

    def __call__(self, result: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        with self._user_id_errors:
            user_id = None if self._user_id is None else self._user_id(result, *args, **kwargs)
            properties = self._properties_of(result, args, kwargs)
            self._track(user_id=user_id, event=self._event, properties=properties)

    def _properties_of(
        self, result: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Data | None:
        with self._properties_errors:
            given = self._properties
            found = given(result, *args, **kwargs) if callable(given) else given
            return None if found is None else mapping("properties", found)
        return None


def _argument(function: Callable[..., object], name: str) -> Callable[..., Any]:
    """A function that finds this argument among those of a call."""
    import inspect

    signature = inspect.signature(function)
    if name not in signature.parameters:
        raise TypeError(f"{function!r} has no argument {name!r}")

    def find(_result: object, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return given.arguments[name]

    return find


def _function(function: Callable[..., Any], done: _TrackResult) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        done(result, args, kwargs)
        return result

    return run


def _coroutine(function: Callable[..., Any], done: _TrackResult) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        result = await function(*args, **kwargs)
        done(result, args, kwargs)
        return result

    return run


def _generator(function: Callable[..., Any], done: _TrackResult) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        result = yield from function(*args, **kwargs)
        done(result, args, kwargs)
        return result

    return run


def _async_generator(function: Callable[..., Any], done: _TrackResult) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        step = inner.__anext__()
        while True:  # `yield from` by hand; async generators lack it
            try:
                item = await step
            except StopAsyncIteration:
                break
            try:
                step = inner.asend((yield item))
            except GeneratorExit:
                await inner.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 - the inner generator handles it
                step = inner.athrow(error)
        done(None, args, kwargs)

    return run
