"""ISO 8601: what is read is what it says, and what is not a time is none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.model import iso, parse_iso

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(EPOCH.replace(tzinfo=None), EPOCH.replace(9999, tzinfo=None))


@given(MOMENTS, ZONES | st.none())
def test_what_python_writes_is_read_to_the_millisecond(moment: datetime, zone: timezone | None):
    aware = moment.replace(tzinfo=zone or timezone.utc)
    written = aware.isoformat() if zone else moment.isoformat()
    assert parse_iso(written) == (aware - EPOCH) // MILLISECOND


@given(st.integers(0, 253_402_300_799_999))
def test_the_common_form_is_read_exactly(time: int) -> None:
    moment = EPOCH + timedelta(milliseconds=time)
    assert parse_iso(f"{moment:%Y-%m-%dT%H:%M:%S}.{time % 1000:03}Z") == time


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_is_written_as_python_writes_it(time: int) -> None:
    moment = EPOCH.replace(tzinfo=None) + time * MILLISECOND
    assert iso(time) == moment.isoformat(timespec="milliseconds") + "Z"


@given(MOMENTS.map(datetime.isoformat), st.integers(0, 25), st.sampled_from("0179 -+:.TZz,\0é²"))
def test_a_spoiled_time_is_another_time_or_none(text: str, at: int, spoiled: str) -> None:
    """The quick way and the thorough one never disagree about what can be read."""
    spoilt = text[:at] + spoiled + text[at + 1 :]
    quick, thorough = parse_iso(spoilt), parse_iso(spoilt.replace("T", " "))
    if "T" in spoilt.replace("T", "", 1):
        return
    assert quick == thorough


@given(st.text())
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert parse_iso(text) is None or text[:4].isdigit()
