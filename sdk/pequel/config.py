"""The settings: one list, from which names, defaults, environment and help all follow."""

import os
from collections.abc import Callable, Container, Mapping
from math import inf
from typing import Annotated, Any, NamedTuple, cast

from pequel.errors import ConfigError

DEFAULT_HOST = "http://127.0.0.1:8321"
_DOTS = "…"


class Help(NamedTuple):
    """What a setting means, and for numbers the least and the most it can be."""

    text: str
    least: float = 0
    most: float = inf


class Options(NamedTuple):
    """Every setting of a client, checked and unchangeable."""

    write_key: Annotated[str, Help("The key that may write to the collector.")] = ""
    host: Annotated[str, Help("Where the collector is: scheme, name and port.")] = DEFAULT_HOST
    flush_interval: Annotated[
        float, Help("Seconds an event waits for others to be sent along with it.")
    ] = 0.5
    batch_events: Annotated[int, Help("Events in one request, at most.", least=1)] = 250
    batch_bytes: Annotated[
        int, Help("Bytes of events in one request, at most, before compression.", least=1)
    ] = 475_000
    max_event_bytes: Annotated[
        int, Help("Bytes of one event, at most; a longer one is dropped.", least=1)
    ] = 32_768
    max_queue_events: Annotated[
        int, Help("Events waiting, at most; when full, new ones are dropped.", least=1)
    ] = 10_000
    max_queue_bytes: Annotated[
        int, Help("Bytes of events waiting, at most; when full, new ones are dropped.", least=1)
    ] = 16_777_216
    gzip: Annotated[bool, Help("Whether requests are compressed.")] = True
    timeout: Annotated[
        float,
        Help(
            "Seconds to wait for a connection, and then for an answer; a day at most.",
            least=0.001,
            most=86_400,
        ),
    ] = 10.0
    max_retries: Annotated[
        int, Help("Times a batch is sent again before its events are dropped.")
    ] = 30
    max_retry_wait: Annotated[
        float, Help("Seconds between two tries, at most, when the client chooses.", least=0.1)
    ] = 30.0
    max_retry_after: Annotated[
        float, Help("Seconds between two tries, at most, when the collector asks to wait.")
    ] = 300.0
    sync: Annotated[
        bool,
        Help("Whether a call sends by itself, and waits until that is done or `timeout` is over."),
    ] = False
    exit_timeout: Annotated[
        float, Help("Seconds the end of the process may be delayed to send what is left.")
    ] = 5.0
    spool: Annotated[
        str, Help("A folder in which events outlive the process and the outage; without, none do.")
    ] = ""
    spool_bytes: Annotated[
        int, Help("Bytes on disk, at most; when full, the oldest are dropped.", least=65_536)
    ] = 268_435_456


class Setting(NamedTuple):
    """One setting as a row: for the documentation, for the environment, for checking."""

    name: str
    kind: type
    default: bool | int | float | str
    help: str
    least: float
    most: float

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"PEQUEL_{self.name.upper()}"


def _setting(name: str, hint: Any) -> Setting:
    help_ = cast("Help", hint.__metadata__[0])
    default = Options._field_defaults[name]
    return Setting(name, hint.__origin__, default, help_.text, help_.least, help_.most)


SETTINGS: tuple[Setting, ...] = tuple(
    _setting(name, hint) for name, hint in Options.__annotations__.items()
)

_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_WORDS |= {"0": False, "false": False, "no": False, "off": False}


def from_environment(
    environ: Mapping[str, str], names: Container[str] = Options._fields
) -> dict[str, object]:
    """The settings of these names that an environment gives; empty variables count as absent.

    Raises:
        ConfigError: a value does not fit its setting; the variable is named.
    """
    rows = [(setting, environ.get(setting.variable)) for setting in SETTINGS]
    given = [(setting, text) for setting, text in rows if text and setting.name in names]
    return {setting.name: _value(setting, text, setting.variable) for setting, text in given}


def checked(given: Mapping[str, object]) -> Options:
    """The whole settings, from those given and the defaults.

    Raises:
        ConfigError: a name is unknown, or a value does not fit its setting.
    """
    unknown = given.keys() - Options._field_defaults.keys()
    if unknown:
        known = ", ".join(Options._fields)
        raise ConfigError(f"no setting {', '.join(sorted(unknown))}; there are {known}")
    values: dict[str, Any] = {
        s.name: _value(s, given[s.name], s.name) for s in SETTINGS if s.name in given
    }
    return Options(**values)


def check_key(called: str, key: str) -> str:
    """The key, if it can be one. What is said against it does not repeat it.

    Raises:
        ConfigError: it holds what no key does, such as the dots of an example.
    """
    odd = next((c for c in key if c == _DOTS or not c.isprintable()), None)
    if odd is not None:
        raise ConfigError(f"{called} holds {odd!r}, which no key does: give one of `pequel serve`")
    return key


def _value(setting: Setting, value: object, called: str) -> object:
    """The value in the setting's own type, read from text where it is text."""
    try:
        converted = _convert(setting.kind, value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{called} must be of type {setting.kind.__name__}, not {value!r}"
        ) from error
    if isinstance(converted, int | float):
        _check_range(setting, converted, called)
    look = _LOOKS.get(setting.name)
    return converted if look is None else look(called, cast("str", converted))


def _check_range(setting: Setting, number: float, called: str) -> None:
    if not number >= setting.least:
        raise ConfigError(f"{called} must be at least {setting.least:g}, not {number!r}")
    if number > setting.most:
        raise ConfigError(f"{called} must be at most {setting.most:g}, not {number!r}")


def _convert(kind: type, value: object) -> bool | int | float | str:
    if kind is bool:
        return value if isinstance(value, bool) else _word(value)
    if kind is str:
        return _text(value)
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise ValueError("not a whole number")
    return kind(value)  # type: ignore[no-any-return]


def _word(value: object) -> bool:
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise ValueError("neither yes nor no")
    return _WORDS[word]


def _text(value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise TypeError("not text")
    return value.strip()


def _folder(called: str, path: str) -> str:
    """The same folder wherever the process goes later."""
    if not path:
        return ""
    if "\0" in path:
        raise ConfigError(f"{called} must be a path, not {path!r}")
    from pathlib import Path  # here, so that an import of the package is quick

    try:
        return str(Path(path).expanduser().absolute())
    except (RuntimeError, OSError) as error:  # there is no home, or no folder to be in
        raise ConfigError(f"{called} must be a path, not {path!r}") from error


def _address(called: str, host: str) -> str:
    try:
        fits = _is_address(host)
    except ValueError:  # brackets that do not close, or a port that is none
        fits = False
    if not fits:
        raise ConfigError(f"{called} must look like {DEFAULT_HOST}, not {host!r}")
    return host.rstrip("/")


def _is_address(host: str) -> bool:
    """Whether requests can be sent there. Raises ValueError where it is no address at all."""
    from urllib.parse import urlsplit  # here, so that an import of the package is quick

    parts = urlsplit(host)
    reachable = bool(parts.hostname) and parts.port != 0
    odd = any(c.isspace() or not c.isprintable() or c in "?#" for c in host)
    return parts.scheme in ("http", "https") and reachable and not odd


_LOOKS: dict[str, Callable[[str, str], str]] = {
    "write_key": check_key,
    "host": _address,
    "spool": _folder,
}
