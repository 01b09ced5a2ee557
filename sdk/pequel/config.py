"""The settings. `Options` is the one list of names, types, defaults and help texts."""

import os
from collections.abc import Callable, Container, Mapping
from math import inf
from typing import Annotated, Any, NamedTuple, cast

from pequel.errors import ConfigError

DEFAULT_HOST = "http://127.0.0.1:8321"
READ_KEY, WRITE_KEY = "pk_r_", "pk_w_"  # how a collector's keys begin
_ELLIPSIS = "…"


class Help(NamedTuple):
    """What a setting means, and the range of a number."""

    text: str
    least: float = 0
    most: float = inf


class Options(NamedTuple):
    """Every setting of a client."""

    write_key: Annotated[str, Help("A key that may write to the collector.")] = ""
    host: Annotated[str, Help("Address of the collector: scheme, name and port.")] = DEFAULT_HOST
    flush_interval: Annotated[
        float, Help("Seconds an event waits for others to share its request.")
    ] = 0.5
    batch_events: Annotated[int, Help("Events in one request, at most.", least=1)] = 250
    batch_bytes: Annotated[
        int, Help("Bytes of events in one request, at most, before compression.", least=1)
    ] = 475_000
    max_event_bytes: Annotated[
        int, Help("Bytes of one event, at most; a longer one is dropped.", least=1)
    ] = 32_768
    max_queue_events: Annotated[
        int, Help("Events waiting, at most; then new ones are dropped.", least=1)
    ] = 10_000
    max_queue_bytes: Annotated[
        int, Help("Bytes of events waiting, at most; then new ones are dropped.", least=1)
    ] = 16_777_216
    full: Annotated[
        str, Help("`drop` or `wait`: if the queue is full, a call waits up to `timeout` for room.")
    ] = "drop"
    gzip: Annotated[bool, Help("Compress requests.")] = True
    timeout: Annotated[
        float,
        Help(
            "Seconds to wait for a connection, and then for an answer; a day at most.",
            least=0.001,
            most=86_400,
        ),
    ] = 10.0
    max_retries: Annotated[int, Help("Retries of a batch before its events are dropped.")] = 30
    max_retry_wait: Annotated[
        float, Help("Longest wait between two tries, in seconds.", least=0.1)
    ] = 30.0
    max_retry_after: Annotated[
        float, Help("Longest wait that the collector may ask for, in seconds.")
    ] = 300.0
    sync: Annotated[
        bool,
        Help("Send in the calling thread; a call waits up to `timeout`."),
    ] = False
    exit_timeout: Annotated[float, Help("Seconds to send what is left when the process ends.")] = (
        5.0
    )
    enabled: Annotated[bool, Help("If not, calls do nothing, and count nothing.")] = True
    spool: Annotated[str, Help("A folder for events, which then outlive the process.")] = ""
    spool_bytes: Annotated[
        int, Help("Bytes on disk, at most; then the oldest events are dropped.", least=65_536)
    ] = 268_435_456


class Setting(NamedTuple):
    """A setting as a row, for the documentation, the environment and the checks."""

    name: str
    kind: type
    default: bool | int | float | str
    help: str
    least: float
    most: float

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"PEQUEL_{self.name.upper()}"


def _setting(name: str, hint: Any) -> Setting:
    help_ = cast("Help", hint.__metadata__[0])
    default = Options._field_defaults[name]
    return Setting(name, hint.__origin__, default, help_.text, help_.least, help_.most)


SETTINGS: tuple[Setting, ...] = tuple(
    _setting(name, hint) for name, hint in Options.__annotations__.items()
)

_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True}
_BOOLEANS |= {"0": False, "false": False, "no": False, "off": False}


def from_environment(
    environ: Mapping[str, str], names: Container[str] = Options._fields
) -> dict[str, object]:
    """The settings of these names in an environment; empty variables count as absent.

    Raises:
        ConfigError: a variable has a wrong value; the text names the variable.
    """
    rows = [(setting, environ.get(setting.variable)) for setting in SETTINGS]
    given = [(setting, text) for setting, text in rows if text and setting.name in names]
    return {setting.name: _value(setting, text, setting.variable) for setting, text in given}


def checked(given: Mapping[str, object]) -> Options:
    """All settings, from those given and the defaults.

    Raises:
        ConfigError: a name is unknown, or a value is wrong.
    """
    unknown = given.keys() - Options._field_defaults.keys()
    if unknown:
        known = ", ".join(Options._fields)
        raise ConfigError(
            f"unknown setting: {', '.join(sorted(unknown))}; the settings are {known}"
        )
    values: dict[str, Any] = {
        s.name: _value(s, given[s.name], s.name) for s in SETTINGS if s.name in given
    }
    return Options(**values)


def check_key(name: str, key: str) -> str:
    """The key, unchanged. The text of the error does not show it.

    Raises:
        ConfigError: it holds a character that no key has, such as the `…` of an example.
    """
    odd = next((c for c in key if c == _ELLIPSIS or not c.isprintable()), None)
    if odd is not None:
        raise ConfigError(f"{name} holds {odd!r}, which no key has; `pequel serve` prints keys")
    return key


def check_kind_of_key(name: str, key: str, wrong_prefix: str) -> str:
    """The key, unchanged. The text of the error does not show it.

    Raises:
        ConfigError: its prefix says that it is of a kind that cannot do what is needed here.
    """
    if key.startswith(wrong_prefix):
        wrong, right = ("read", "write") if wrong_prefix == READ_KEY else ("write", "read")
        raise ConfigError(f"{name} is a {wrong} key ({wrong_prefix}…); give a {right} key")
    return check_key(name, key)


def _checked_write_key(name: str, key: str) -> str:
    return check_kind_of_key(name, key, READ_KEY)


def _value(setting: Setting, value: object, name: str) -> object:
    """The value in the setting's type; text is parsed."""
    try:
        converted = _convert(setting.kind, value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{name} must be of type {setting.kind.__name__}, not {value!r}"
        ) from error
    if isinstance(converted, int | float):
        _check_range(setting, converted, name)
    check = _CHECKS.get(setting.name)
    return converted if check is None else check(name, cast("str", converted))


def _check_range(setting: Setting, number: float, name: str) -> None:
    if not number >= setting.least:
        raise ConfigError(f"{name} must be at least {setting.least:g}, not {number!r}")
    if number > setting.most:
        raise ConfigError(f"{name} must be at most {setting.most:g}, not {number!r}")


def _convert(kind: type, value: object) -> bool | int | float | str:
    if kind is bool:
        return value if isinstance(value, bool) else _boolean(value)
    if kind is str:
        return _text(value)
    if isinstance(value, bool):
        raise TypeError("a bool is not a number")
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise ValueError("not a whole number")
    return kind(value)  # type: ignore[no-any-return]


def _boolean(value: object) -> bool:
    word = str(value).strip().lower()
    if word not in _BOOLEANS:
        raise ValueError("not a bool")
    return _BOOLEANS[word]


def _text(value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise TypeError("not text")
    return value.strip()


def _checked_folder(name: str, path: str) -> str:
    """The absolute path, so that a change of the working folder has no effect."""
    if not path:
        return ""
    if "\0" in path:
        raise ConfigError(f"{name} must be a path, not {path!r}")
    from pathlib import Path  # here, so that an import of the package is quick

    try:
        return str(Path(path).expanduser().absolute())
    except (RuntimeError, OSError) as error:  # no home, or no working folder
        raise ConfigError(f"{name} must be a path, not {path!r}") from error


def _checked_host(name: str, host: str) -> str:
    try:
        valid = _is_host(host)
    except ValueError:  # brackets that do not close, or a port that is not a number
        valid = False
    if not valid:
        raise ConfigError(f"{name} must look like {DEFAULT_HOST}, not {host!r}")
    if "/v1/" in f"{host}/":
        raise ConfigError(f"{name} must not contain /v1, which the SDK adds, as in {host!r}")
    return host.rstrip("/")


def _is_host(host: str) -> bool:
    """Whether it is an address that requests can be sent to. May raise ValueError."""
    from urllib.parse import urlsplit  # here, so that an import of the package is quick

    parts = urlsplit(host)
    reachable = bool(parts.hostname) and parts.port != 0
    odd = any(c.isspace() or not c.isprintable() or c in "?#" for c in host)
    return parts.scheme in ("http", "https") and reachable and not odd


def _checked_full(name: str, value: str) -> str:
    if value not in ("drop", "wait"):
        raise ConfigError(f"{name} must be 'drop' or 'wait', not {value!r}")
    return value


_CHECKS: dict[str, Callable[[str, str], str]] = {
    "write_key": _checked_write_key,
    "full": _checked_full,
    "host": _checked_host,
    "spool": _checked_folder,
}
