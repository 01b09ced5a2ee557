"""The SDKs behind one face. Only host and key are set; everything else is as each comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

EVENT = "project_created"
KEY = "peers-write-key"


class Sdk(NamedTuple):
    """A client that was made.

    Attributes:
        track: takes the user's id and the properties.
        flush: sends all that waits, as far as the SDK can.
        close: what its documentation says to call at the end.
        counted: how many events were dropped, by reason, where the SDK can say.
    """

    track: Callable[[Any, Mapping[str, Any]], object]
    flush: Callable[[], object]
    close: Callable[[], object]
    counted: Callable[[], dict[str, int]] = dict


def pequel(host: str) -> Sdk:
    """Pequel."""
    return _pequel(host)


def pequel_spool(host: str) -> Sdk:
    """Pequel with a spool, in the folder that the environment names."""
    return _pequel(host, spool=os.environ["PEERS_SPOOL"])


def _pequel(host: str, **options: str) -> Sdk:
    import pequel

    client = pequel.Client(KEY, host, **options)
    return Sdk(
        lambda u, p: client.track(u, EVENT, p),
        client.flush,
        client.shutdown,
        lambda: client.stats().dropped_by_reason,
    )


def segment(host: str) -> Sdk:
    """Segment."""
    from segment.analytics.client import Client

    client = Client(KEY, host=host)
    return Sdk(lambda u, p: client.track(u, EVENT, p), client.flush, client.shutdown)


def posthog(host: str) -> Sdk:
    """PostHog."""
    from posthog import Posthog

    client = Posthog(KEY, host=host)
    return Sdk(
        lambda u, p: client.capture(EVENT, distinct_id=u, properties=p),
        client.flush,
        client.shutdown,
    )


def rudder(host: str) -> Sdk:
    """RudderStack."""
    from rudderstack.analytics.client import Client

    client = Client(KEY, host=host)
    return Sdk(lambda u, p: client.track(u, EVENT, p), client.flush, client.shutdown)


def amplitude(host: str) -> Sdk:
    """Amplitude, whose flush gives futures to wait for."""
    from amplitude import Amplitude, BaseEvent, Config

    client = Amplitude(KEY, Config(server_url=f"{host}/2/httpapi"))

    def flush() -> None:
        for future in client.flush():
            if future is not None:
                future.result()

    return Sdk(
        lambda u, p: client.track(BaseEvent(EVENT, user_id=u, event_properties=p)),
        flush,
        client.shutdown,
    )


def mixpanel(host: str) -> Sdk:
    """Mixpanel with its buffered consumer, which sends in the caller at every 50th event."""
    from mixpanel import BufferedConsumer, Mixpanel

    consumer = BufferedConsumer(events_url=f"{host}/track")
    client = Mixpanel(KEY, consumer=consumer)
    return Sdk(lambda u, p: client.track(u, EVENT, p), consumer.flush, consumer.flush)


def mixpanel_sync(host: str) -> Sdk:
    """Mixpanel with its default consumer, which sends each event in the caller."""
    from mixpanel import Consumer, Mixpanel

    client = Mixpanel(KEY, consumer=Consumer(events_url=f"{host}/track"))
    return Sdk(lambda u, p: client.track(u, EVENT, p), lambda: None, lambda: None)


def snowplow(host: str) -> Sdk:
    """Snowplow with its asynchronous emitter."""
    from snowplow_tracker import AsyncEmitter, SelfDescribing, SelfDescribingJson, Subject, Tracker

    emitter = AsyncEmitter(host, protocol="https" if urlsplit(host).scheme == "https" else "http")
    tracker = Tracker("peers", emitter)
    schema = f"iglu:com.example/{EVENT}/jsonschema/1-0-0"

    def track(user: Any, properties: Mapping[str, Any]) -> object:
        subject = Subject().set_user_id(user)
        return tracker.track(
            SelfDescribing(SelfDescribingJson(schema, properties), event_subject=subject)
        )

    return Sdk(track, emitter.sync_flush, emitter.sync_flush)


SDKS: dict[str, Callable[[str], Sdk]] = {
    "pequel": pequel,
    "segment": segment,
    "posthog": posthog,
    "rudder": rudder,
    "amplitude": amplitude,
    "mixpanel": mixpanel,
    "snowplow": snowplow,
}
VARIANTS: dict[str, Callable[[str], Sdk]] = {
    "pequel+spool": pequel_spool,
    "mixpanel-sync": mixpanel_sync,
}
IMPORTS = {
    "pequel": "pequel",
    "segment": "segment.analytics",
    "posthog": "posthog",
    "rudder": "rudderstack.analytics",
    "amplitude": "amplitude",
    "mixpanel": "mixpanel",
    "snowplow": "snowplow_tracker",
}


DISTRIBUTIONS = {
    "pequel": "pequel",
    "segment": "segment-analytics-python",
    "posthog": "posthog",
    "rudder": "rudder-sdk-python",
    "amplitude": "amplitude-analytics",
    "mixpanel": "mixpanel",
    "snowplow": "snowplow-tracker",
}


def version_of(name: str, versions: Mapping[str, str]) -> str:
    """The version of an SDK, from those of all distributions; none for a variant."""
    return versions.get(DISTRIBUTIONS.get(name, ""), "")


def make(name: str, host: str) -> Sdk:
    """The SDK of that name, sending to `host`."""
    return {**SDKS, **VARIANTS}[name](host)
