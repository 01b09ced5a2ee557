"""The formats by name, and whether a log is in the one that the user says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import BadRequest
from ..model import JSON
from .amplitude import Amplitude
from .format import Format, Options, Record
from .ga4 import Ga4
from .groups import shown
from .line import BadLine, Line, object_on
from .mapping import Mapped
from .mixpanel import Mixpanel
from .pequel import Pequel
from .posthog import PostHog
from .segment import Segment

NAMES = ("pequel", "segment", "rudderstack", "mixpanel", "posthog", "amplitude", "ga4")

SAMPLE = 100
"""Records at the start of a log that decide whether its form is known."""


def format_of(name: str, options: Options) -> Format:
    """The format of a name."""
    match name:
        case "segment" | "rudderstack":
            return Segment(name, options)
        case "mixpanel":
            return Mixpanel(options)
        case "posthog":
            return PostHog(options)
        case "amplitude":
            return Amplitude(options)
        case "ga4":
            return Ga4(options)
    return Pequel()


_OPTIONS = {  # the formats that read an option
    "--group": ("mixpanel", "posthog", "amplitude", "ga4"),
    "--table": ("segment", "rudderstack"),
    "--time-zone": ("mixpanel",),
}


def check_options(format_: Format, given: Mapping[str, object]) -> None:
    """Raise BadRequest if an option says what a format does not read."""
    for option, formats in _OPTIONS.items():
        if given.get(option) is not None and format_.name not in formats:
            others = " or ".join(formats)
            found = "--map" if isinstance(format_, Mapped) else f"--format {format_.name}"
            raise BadRequest(f"{option}: not read with {found}, expected --format {others}")


def check(lines: Sequence[Line], format_: Format) -> None:
    """Raise BadRequest if no record at the start of a log fits a format.

    The error names the keys that were found and those that are read, and the format that the log is
    in, if only one fits.
    """
    records = list(_objects(lines))
    if not records:
        raise BadRequest(_nothing(lines))
    if any(format_.fits(record) for record in records):
        return
    found, read = _keys(records), ", ".join(format_.keys)
    if isinstance(format_, Mapped) and (absent := format_.absent(records)):
        raise BadRequest(f"{format_.where}: {absent}. Keys found: {found}")
    raise BadRequest(
        f"the log is not in the format {format_.name}. Keys found: {found}. Keys read: {read}. "
        + _advice(records, format_.name)
    )


def _advice(records: Sequence[Record], name: str) -> str:
    others = [other for other in NAMES if other not in {name, "rudderstack"}]
    fitting = [
        other
        for other in others
        if all(format_of(other, Options()).fits(record) for record in records)
    ]
    if len(fitting) == 1:
        return f"It looks like --format {fitting[0]}"
    return "Say its --format, or describe it with --map"


def _objects(lines: Iterable[Line]) -> Iterable[Record]:
    for line in lines:
        try:
            yield object_on(line)
        except BadLine:
            continue


def _nothing(lines: Sequence[Line]) -> str:
    if not lines:
        return "the log is empty"
    try:
        object_on(lines[0])
    except BadLine as bad:
        return (
            f"the log has no event: {lines[0].place}: {bad}. Expected JSON objects, such as "
            '{"user_id": "u1", "event": "used", "timestamp": "2026-03-01T10:00:00Z"}, '
            "or CSV with a header"
        )
    return "the log has no event"


def _keys(records: Sequence[Record]) -> str:
    """The keys of objects, and those of objects inside, as far as they may be what is wanted."""
    names: dict[str, None] = {}
    for record in records:
        for name, value in record.items():
            names.update(dict.fromkeys(_paths(name, value)))
    return shown(names)


def _paths(name: str, value: JSON) -> list[str]:
    if isinstance(value, dict) and value:
        return [f"{name}.{inner}" for inner in value]
    return [name]
