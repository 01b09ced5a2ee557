"""Checks of the functions and objects that a client or a reader is given.

They run in the constructor. Without them, a wrong argument would fail later, in another thread.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pequel.errors import ConfigError


def check(**arguments: object) -> None:
    """Check arguments of `Client` by their names; None means that one was not given.

    Raises:
        ConfigError: an argument has the wrong type.
    """
    for name, value in arguments.items():
        if value is not None:
            _check(name, value, *_EXPECTED[name])


def check_for_reader(*, session: object, jitter: object) -> None:
    """Check arguments of `Reader`, which takes no function for `session`. Raises ConfigError."""
    if session is not None:
        _check("session", session, _is_session, "a requests.Session")
    check(jitter=jitter)


def _check(name: str, value: object, fits: Callable[[Any], bool], expected: str) -> None:
    if not fits(value):
        raise ConfigError(f"{name} must be {expected}, not {value!r:.100}")


def _is_session(value: Any) -> bool:
    """Whether it looks like a session; `requests` is not imported to find out."""
    return hasattr(value, "prepare_request") and not isinstance(value, type)


def _is_session_or_function(value: Any) -> bool:
    return callable(value) or _is_session(value)


def _has_send(value: Any) -> bool:
    return callable(getattr(value, "send", None))


def _is_proxies(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(k, str) and isinstance(v, str | None) for k, v in value.items())


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


_DICT = (_is_mapping, "a dict")
_FUNCTION = (callable, "a function")
_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "on_error": _FUNCTION,
    "on_qualified": _FUNCTION,
    "before_send": _FUNCTION,
    "properties": _DICT,
    "context": _DICT,
    "new_id": _FUNCTION,
    "jitter": _FUNCTION,
    "transport": (_has_send, "an object with a method send"),
    "session": (_is_session_or_function, "a requests.Session, or a function that returns one"),
    "proxies": (_is_proxies, "a dict of strings, such as {'https': 'http://proxy:3128'}"),
}
