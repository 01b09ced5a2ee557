"""The settings of the collector. Options, environment variables and docs follow from this list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

from .errors import BadRequest

Value = TypeVar("Value", str, int)

PREFIX = "PEQUEL_"

MIN_KEY = 8
"""Characters of a key in a variable, at least."""

_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")


def _setting(default: Value, help_: str, least: int = 1, most: int | None = None) -> Value:
    return field(default=default, metadata={"help": help_, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a collector: for each its type, its default and a sentence of help."""

    database: str = _setting("sqlite:///pequel.db", "Where events and leads are stored.")
    config: str = _setting("pequel.toml", "The definitions file. Collecting works without one.")
    reason: str = _setting("", "Why the definitions file has changed, for the log of definitions.")
    host: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8321, "The port to listen on; 0 takes a free one.", 0, 65_535)
    trusted_proxies: int = _setting(
        0, "How many proxies are in front, whose X-Forwarded headers are trusted; 0 for none.", 0
    )
    workers: int = _setting(1, "How many processes answer requests.")
    threads: int = _setting(64, "How many requests each process answers at once.")
    write_key: str = _setting("", "A write key that works from the start.")
    read_key: str = _setting("", "A read key that works from the start.")
    admin_key: str = _setting("", "An admin key that works from the start.")
    max_body: int = _setting(4_000_000, "Maximum bytes of a request body, as sent.")
    max_inflated: int = _setting(20_000_000, "Maximum bytes of a request body, inflated.")
    max_keyless: int = _setting(
        500_000, "Maximum bytes of a body, as sent and inflated, whose key is in the body."
    )
    max_event: int = _setting(32_768, "Maximum bytes of one event.")
    max_batch: int = _setting(2_500, "Maximum number of events in one batch.")
    max_depth: int = _setting(64, "Maximum levels of nesting in one event.")
    clock_tolerance: int = _setting(
        3_300,
        "Seconds between sentAt and receipt up to which a client's clock is not corrected.",
        0,
    )
    junk_ids: str = _setting("", "More ids that stand for no user, separated by commas.")
    max_waiting: int = _setting(
        50_000, "Maximum number of events that wait for the store; others are asked to retry."
    )
    store_timeout: int = _setting(
        3, "Maximum seconds that a request waits for its turn, and then for the database."
    )
    database_connections: int = _setting(
        10, "Maximum connections of each process to PostgreSQL, at least 2."
    )
    min_free: int = _setting(
        100_000_000, "Minimum free bytes of disk; with less, events are refused.", 0
    )
    history_cache: int = _setting(
        256_000_000, "Maximum bytes of memory for the histories that each process keeps at hand."
    )
    rate_limit: int = _setting(
        0, "Maximum events a second from one key, on average; 0 for no limit.", 0
    )
    monthly_quota: int = _setting(0, "Maximum events a month from one key; 0 for no limit.", 0)
    allow_private_alerts: int = _setting(
        0, "1 lets alerts go to private, link-local and other addresses that are not public.", 0, 1
    )
    alert_env: str = _setting(
        "",
        "More environment variables that alerts may send, separated by commas, beside those whose "
        "names begin with PEQUEL_.",
    )
    keep_deliveries: int = _setting(
        30,
        "Days that the log of alerts keeps what was sent; 0 for ever. Dead ones stay.",
        0,
        36_500,
    )
    public_url: str = _setting(
        "",
        "Where people open the console, such as https://pequel.example.com, for links in alerts.",
    )

    def __post_init__(self) -> None:
        """Raises BadRequest if two variables hold one key: it would have the rights of one only."""
        owners: dict[str, str] = {}
        for name in SECRET:
            key = getattr(self, name)
            other = owners.setdefault(key, name)
            if key and other != name:
                raise BadRequest(
                    f"PEQUEL_{name.upper()}: found the key of PEQUEL_{other.upper()}, "
                    "expected another key",
                    field=name,
                )

    def is_for_alerts(self, variable: str) -> bool:
        """Whether an alert may send the value of an environment variable.

        Who may change definitions chooses the variable and the URL. So only two kinds of variables
        are allowed: those that begin with PEQUEL_ and are no setting, and those in ``alert_env``.
        """
        listed = {name.strip() for name in self.alert_env.split(",")}
        return variable in listed or (variable.startswith(PREFIX) and variable not in _OWN)


class Setting(NamedTuple):
    """One setting. The type of the default is the type of the setting.

    ``least`` and ``most`` are the bounds of a number.
    """

    name: str
    default: Any
    help: str
    least: int = 1
    most: int | None = None

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()


SETTINGS = tuple(Setting(f.name, f.default, **f.metadata) for f in fields(Settings))

_OWN = {s.variable for s in SETTINGS} | {"PEQUEL_WORK_KEY", "PEQUEL_SMTP_URL", "PEQUEL_SMTP_FROM"}
"""Variables with a use of their own. The values of some are secrets that no alert may send."""

SECRET = ("write_key", "read_key", "admin_key")
"""Settings without an option: a process list shows command lines."""


def from_environment(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings of these names that variables set. No other variable is looked at.

    Blanks around a value are removed, because variables often end in a line feed. An empty variable
    counts as not set. Raises BadRequest for a value that cannot be used; it names the variable.
    """
    wanted = set(names)
    texts = {s: environment.get(s.variable, "") for s in SETTINGS if s.name in wanted}
    return {s.name: _value(s, t) for s, t in texts.items() if t and not is_foreign(s.name, t)}


def is_foreign(name: str, text: str) -> bool:
    """Whether a variable is meant for somebody else.

    ``PEQUEL_HOST=https://…`` tells the SDK where to send. Kubernetes sets ``PEQUEL_PORT=tcp://…``
    in each container beside a service with the name ``pequel``.
    """
    if name == "host":
        return "://" in text
    return name == "port" and _SERVICE_LINK.match(text.strip()) is not None


def _value(setting: Setting, text: str) -> Any:
    value = text.strip()
    if not value:
        raise _unusable(setting, "blanks only", "a value, or an empty variable")
    if setting.name in SECRET:
        return _key(setting, value)
    return _number(setting, value) if isinstance(setting.default, int) else value


def _number(setting: Setting, text: str) -> int:
    is_number = re.fullmatch(r"-?[0-9]{1,18}", text) is not None
    most = "" if setting.most is None else f" to {setting.most}"
    if not is_number or not setting.least <= int(text) <= (setting.most or int(text)):
        expected = f"a whole number from {setting.least}{most}" + (" on" if not most else "")
        raise _unusable(setting, repr(text), expected)
    return int(text)


def _key(setting: Setting, key: str) -> str:
    """A key that a client can send in a header. An error does not show it."""
    if not key.isascii() or not key.isprintable():
        raise _unusable(setting, "a character that is not printable ASCII", "a key without it")
    if " " in key:
        raise _unusable(setting, "a blank inside the key", "a key without blanks")
    if key[0] in "\"'" or key[-1] in "\"'":
        raise _unusable(setting, "a quotation mark around the key", "the key alone")
    if len(key) < MIN_KEY:
        raise _unusable(setting, f"{len(key)} characters", f"a key of at least {MIN_KEY}")
    return key


def _unusable(setting: Setting, found: str, expected: str) -> BadRequest:
    message = f"{setting.variable}: found {found}, expected {expected}"
    return BadRequest(message, field=setting.name)
