"""The settings of the collector: one list, from which flags, environment and docs follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errors import BadRequest


class Setting(NamedTuple):
    """One setting: its name, its default (whose type is the setting's) and one sentence of help."""

    name: str
    default: Any
    help: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "PEQUEL_" + self.name.upper()


SETTINGS = (
    Setting("database", "sqlite:///pequel.db", "Where facts and leads are stored."),
    Setting("config", "pequel.toml", "The definitions file; none is needed to collect."),
    Setting("host", "127.0.0.1", "The address to listen on."),
    Setting("port", 8321, "The port to listen on; 0 takes a free one."),
    Setting("workers", 1, "How many processes answer requests."),
    Setting("threads", 64, "How many requests each of them answers at a time."),
    Setting("write_key", "", "A write key accepted from the start."),
    Setting("read_key", "", "A read key accepted from the start."),
    Setting("admin_key", "", "An admin key accepted from the start."),
    Setting("max_body", 4_000_000, "Bytes of a request body, as sent."),
    Setting("max_inflated", 20_000_000, "Bytes of a request body, inflated."),
    Setting("max_event", 32_768, "Bytes of one event."),
    Setting("max_batch", 2_500, "Events in one batch."),
    Setting("max_depth", 64, "Levels of nesting in one event."),
    Setting("max_waiting", 50_000, "Events that may wait for the store; more are put off."),
    Setting("min_free", 100_000_000, "Bytes of disk below which nothing is taken in."),
    Setting("rate_limit", 0, "Events a second from one key, on average; 0 is any number."),
    Setting("monthly_quota", 0, "Events a month from one key; 0 is any number."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force. Each field is described in ``SETTINGS``."""

    database: str = "sqlite:///pequel.db"
    config: str = "pequel.toml"
    host: str = "127.0.0.1"
    port: int = 8321
    workers: int = 1
    threads: int = 64
    write_key: str = ""
    read_key: str = ""
    admin_key: str = ""
    max_body: int = 4_000_000
    max_inflated: int = 20_000_000
    max_event: int = 32_768
    max_batch: int = 2_500
    max_depth: int = 64
    max_waiting: int = 50_000
    min_free: int = 100_000_000
    rate_limit: int = 0
    monthly_quota: int = 0

    @classmethod
    def load(cls, environment: Mapping[str, str], **given: Any) -> Settings:
        """Settings from what is given, else from the environment, else by default."""
        values = {s.name: _value(s, environment) for s in SETTINGS}
        values.update({name: value for name, value in given.items() if value is not None})
        return cls(**values)


def _value(setting: Setting, environment: Mapping[str, str]) -> Any:
    text = environment.get(setting.variable)
    if not text or (setting.name == "host" and "://" in text):
        return setting.default  # a URL in PEQUEL_HOST is the SDK's: where to send, not to listen
    if not isinstance(setting.default, int):
        return text
    try:
        return int(text)
    except ValueError:
        raise BadRequest(
            f"{setting.variable}: found {text!r}, expected a whole number", field=setting.name
        ) from None
