"""The settings of the collector. Options, environment variables and docs follow from this list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

from .errors import BadRequest

Value = TypeVar("Value", str, int)


def _setting(default: Value, help_: str) -> Value:
    return field(default=default, metadata={"help": help_})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a collector: for each its type, its default and a sentence of help."""

    database: str = _setting("sqlite:///pequel.db", "Where events and leads are stored.")
    config: str = _setting("pequel.toml", "The definitions file. Collecting works without one.")
    host: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8321, "The port to listen on; 0 takes a free one.")
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
        3_300, "Seconds between sentAt and receipt up to which a client's clock is not corrected."
    )
    junk_ids: str = _setting("", "More ids that name nobody, with commas between them.")
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
        100_000_000, "Minimum free bytes of disk; with less, events are refused."
    )
    history_cache: int = _setting(
        256_000_000, "Maximum bytes of memory for the histories that each process keeps at hand."
    )
    rate_limit: int = _setting(
        0, "Maximum events a second from one key, on average; 0 for no limit."
    )
    monthly_quota: int = _setting(0, "Maximum events a month from one key; 0 for no limit.")

    @classmethod
    def load(cls, environment: Mapping[str, str], **options: Any) -> Settings:
        """Settings from options that are not None, else from the environment, else by default."""
        values = {setting.name: _value(setting, environment) for setting in SETTINGS}
        values.update({name: value for name, value in options.items() if value is not None})
        return cls(**values)


class Setting(NamedTuple):
    """One setting. The type of the default is the type of the setting."""

    name: str
    default: Any
    help: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "PEQUEL_" + self.name.upper()


SETTINGS = tuple(Setting(f.name, f.default, f.metadata["help"]) for f in fields(Settings))


def _value(setting: Setting, environment: Mapping[str, str]) -> Any:
    text = environment.get(setting.variable)
    if not text or (setting.name == "host" and "://" in text):
        return setting.default  # a URL in PEQUEL_HOST is for the SDK: where to send events
    if not isinstance(setting.default, int):
        return text
    try:
        return int(text)
    except ValueError:
        raise BadRequest(
            f"{setting.variable}: found {text!r}, expected a whole number", field=setting.name
        ) from None
