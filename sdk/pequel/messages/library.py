"""The name and version of the SDK, which the context of each event has on the wire.

They are added as an event is sent, so that it takes no more memory while it waits:

    {"type":"track","event":"a"}              {"context":{"library":{…}},"type":"track","event":"a"}
    {"context":{"locale":"de"},"type":…}      {"context":{"library":{…},"locale":"de"},"type":…}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pequel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIBRARY = b'"library":{"name":"pequel","version":"%b"}' % __version__.encode()
_BEGIN = b'{"context":{'
_ALONE = _BEGIN + _LIBRARY + b"},"
LIBRARY_BYTES = len(_ALONE) - 1


def context_first(message: dict[str, object]) -> dict[str, object]:
    """The message with its context before everything else, where `with_library` finds it."""
    context = message.get("context")
    if isinstance(context, dict) and "library" in context:
        context = {"library": context["library"], **context}
    return {"context": context, **{k: v for k, v in message.items() if k != "context"}}


def joined_with_library(events: Sequence[bytes]) -> bytes:
    """The encoded events, joined by commas, each with the library in its context."""
    return b",".join(
        [with_library(one) if one.startswith(_BEGIN) else _ALONE + one[1:] for one in events]
    )


def with_library(event: bytes) -> bytes:
    """The encoded event, with the library in its context unless that names one."""
    if not event.startswith(_BEGIN):
        return _ALONE + event[1:]
    rest = event[len(_BEGIN) :]
    if rest.startswith(b'"library":'):
        return event
    return _BEGIN + _LIBRARY + (b"" if rest.startswith(b"}") else b",") + rest
