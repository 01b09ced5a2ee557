"""Dates as values and as thresholds."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.values import instant
from pequel_collector.rules.language.dates import instant_of
from pequel_collector.rules.language.definition import Condition, Date, TraitLeaf
from pequel_collector.rules.language.sentence import describe_leaf
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.rules.parser.printer import to_toml

MARCH = 1_772_323_200_000  # 2026-03-01T00:00Z
HOUR = 3_600_000
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo"])

VALUES: dict[Any, int | None] = {
    "2026-03-01": MARCH - HOUR,
    "2026-03-01T00:00": MARCH,
    "2026-03-01T00:00:00.0009Z": MARCH,
    "2026-03-01 02:00+02:00": MARCH,
    1_772_323_200: MARCH,
    1_772_323_200_000: MARCH,
    1_772_323_200.5: MARCH + 500,
    Decimal("1772323200.0019"): MARCH + 1,
    "1772323200": MARCH,
    "1772323200000": MARCH,
    -1: -1000,
    0: 0,
    99_999_999_999: 99_999_999_999_000,
    100_000_000_000: 100_000_000_000,
    "": None,
    "soon": None,
    "2026-02-29": None,
    "20260301T00": None,
    " 1772323200": None,
    "1772323200.5": None,
    "-1": None,
    "١٧٧٢٣٢٣٢٠٠": None,
    10**30: None,
    1e300: None,
    None: None,
}


@pytest.mark.parametrize(("value", "time"), VALUES.items())
def test_a_value_is_read_as_a_date(value: Any, time: int | None) -> None:
    assert instant_of(value, "Europe/Berlin") == time


@pytest.mark.parametrize("value", [True, False, [], {}, ["2026-03-01"]])
def test_what_is_no_text_and_no_number_is_no_date(value: Any) -> None:
    assert instant_of(value, "UTC") is None


@given(
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.dates().map(str)
    | st.datetimes(timezones=st.just(timezone.utc)).map(datetime.isoformat)
    | st.from_regex(r"[0-9T:Z.+ -]{1,24}", fullmatch=True) | st.integers(0).map(str),
    ZONES,
)  # fmt: skip
def test_every_value_is_the_date_that_the_oracle_reads(value: Any, zone: str) -> None:
    if isinstance(value, str) and "." in value and value[-1] not in "Z0":
        return  # offsets of seconds
    assert instant_of(value, zone) == instant(value, zone)


def trait(comparison: str, zone: str = "UTC") -> TraitLeaf:
    text = f'[project]\ntimezone = "{zone}"\n[[pql]]\nname = "x"\nwhen = {{ trait = "t", '
    found = read_catalogue(f"{text}{comparison} }}").definitions[0].when
    assert isinstance(found, TraitLeaf)
    return found


def operand(comparison: str, zone: str = "UTC") -> Any:
    return trait(comparison, zone).condition.comparisons[0].operand


THRESHOLDS = {
    "2026-03-01": MARCH - HOUR,
    '"2026-03-01"': MARCH - HOUR,
    "2026-03-01T00:00:00": MARCH,
    "2026-03-01T02:00:00+02:00": MARCH,
    '"2026-03-01T00:00Z"': MARCH,
    "2026-03-01 00:00:00.5Z": MARCH + 500,
}


@pytest.mark.parametrize(("text", "time"), THRESHOLDS.items())
def test_a_threshold_is_a_date_of_toml_or_a_text(text: str, time: int) -> None:
    assert operand(f"gte = {text}", "Europe/Berlin") == Date(time, "Europe/Berlin")


def test_a_quantity_is_no_date() -> None:
    assert operand('gte = "20k"') == 20_000


PHRASES = {
    "gte = 2026-03-01": "t is 2026-03-01 or later",
    "gt = 2026-03-01T10:00:00Z": "t is after 2026-03-01T10:00:00.000Z",
    "lt = 2026-03-01": "t is before 2026-03-01",
    'lte = "2026-03-01"': "t is 2026-03-01 or earlier",
    "between = [2026-03-01, 2026-03-31]": "t is from 2026-03-01 to 2026-03-31",
    "between = [1, 2]": "t is between 1 and 2",
}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(("text", "phrase"), PHRASES.items())
def test_the_sentence_says_the_date(text: str, phrase: str, zone: str) -> None:
    assert describe_leaf(trait(text, zone)) == phrase


@pytest.mark.parametrize("text", [*PHRASES, "gte = 2026-03-01T10:00:00.5+02:00"])
def test_a_date_comes_back_from_its_source(text: str) -> None:
    (found,) = read_catalogue(f'[[pql]]\nname = "x"\nwhen = {{ trait = "t", {text} }}').definitions
    (again,) = read_catalogue(to_toml(found.source)).definitions
    assert (again, again.hash) == (found, found.hash)


def test_the_time_zone_of_a_date_is_part_of_the_version() -> None:
    dated = '[[pql]]\nname = "x"\nwhen = { event = "a", of = "trait:began" }'
    compared = '[[pql]]\nname = "x"\nwhen = { trait = "t", lt = 2026-03-01 }'
    for text in (dated, compared):
        hashes = {
            read_catalogue(f'[project]\ntimezone = "{zone}"\n{text}').definitions[0].hash
            for zone in ("UTC", "Europe/Berlin")
        }
        assert len(hashes) == 2


def test_a_property_is_compared_with_a_date_as_a_trait_is() -> None:
    text = '[[pql]]\nname = "x"\nwhen = { event = "a", where = { t = { lt = 2026-03-01 } } }'
    (condition,) = read_catalogue(text).definitions[0].when.where  # type: ignore[union-attr]
    assert condition == Condition("t", trait("lt = 2026-03-01").condition.comparisons)
