"""Functions and objects that a client is given, looked at where they are given.

What is wrong with one would otherwise show in another thread, and much later.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pequel.errors import ConfigError


def check(**given: object) -> None:
    """Look at those that are given, by their names; None is none.

    Raises:
        ConfigError: one is not what it must be.
    """
    for name, part in given.items():
        if part is not None:
            _check(name, part, *_PARTS[name])


def check_readers(**given: object) -> None:
    """The same for a reader, whose session is not a function. Raises ConfigError."""
    session = given.pop("session", None)
    if session is not None:
        _check("session", session, _is_session, "a requests.Session")
    check(**given)


def _check(name: str, part: object, fits: Callable[[Any], bool], wanted: str) -> None:
    if not fits(part):
        raise ConfigError(f"{name} must be {wanted}, not {part!r:.100}")


def _is_session(part: Any) -> bool:
    """As far as that can be told without importing `requests`."""
    return hasattr(part, "prepare_request") and not isinstance(part, type)


def _makes_or_is_session(part: Any) -> bool:
    return callable(part) or _is_session(part)


def _can_send(part: Any) -> bool:
    return callable(getattr(part, "send", None))


def _are_proxies(part: Any) -> bool:
    if not isinstance(part, Mapping):
        return False
    return all(isinstance(k, str) and isinstance(v, str | None) for k, v in part.items())


_FUNCTION = (callable, "a function")
_PARTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "on_error": _FUNCTION,
    "on_qualified": _FUNCTION,
    "new_id": _FUNCTION,
    "jitter": _FUNCTION,
    "transport": (_can_send, "an object with a method send"),
    "session": (_makes_or_is_session, "a requests.Session, or a function that makes one"),
    "proxies": (_are_proxies, "a dict of text, such as {'https': 'http://proxy:3128'}"),
}
