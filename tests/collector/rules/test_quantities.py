"""Durations and quantities as exact numbers."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.rules.language.quantities import (
    DAY,
    HOUR,
    LONGEST_DURATION,
    MINUTE,
    Number,
    QuantityError,
    amount,
    count_in,
    exact,
    milliseconds,
    offset,
)

DURATIONS = {
    "45s": 45_000,
    "30m": 1_800_000,
    "4h": 14_400_000,
    "7d": 604_800_000,
    "2w": 1_209_600_000,
    "1 d": DAY,
    "36600d": LONGEST_DURATION,
}

AMOUNTS = {
    "1k": 1_000,
    "2M": 2_000_000,
    "3G": 3_000_000_000,
    "512B": 512,
    "1.5kB": 1_500,
    "20MB": 20_000_000,
    "10GB": 10_000_000_000,
    "1TB": 10**12,
    "1KiB": 1_024,
    "0.5 MiB": 524_288,
    "2GiB": 2_147_483_648,
    "1TiB": 2**40,
    "-3k": -3_000,
    "80%": Decimal("0.8"),
    "100%": 1,
    "0.1k": 100,
    "0.0001k": Decimal("0.1"),
}


@pytest.mark.parametrize(("text", "expected"), DURATIONS.items(), ids=DURATIONS)
def test_a_duration_is_read_as_milliseconds(text: str, expected: int) -> None:
    assert milliseconds(text) == expected


@pytest.mark.parametrize(("text", "expected"), AMOUNTS.items(), ids=AMOUNTS)
def test_a_quantity_is_read_as_an_exact_number(text: str, expected: Number) -> None:
    assert amount(text) == expected
    assert type(amount(text)) is type(expected)


def test_many_digits_are_not_rounded() -> None:
    expected = Fraction("123456789012345.123456789012345") * 2**40
    assert Fraction(amount("123456789012345.123456789012345TiB")) == expected


NO_DURATIONS = {
    "": 'a duration such as "7d", with one of the units s m h d w',
    "7": 'a duration such as "7d", with one of the units s m h d w',
    "d": 'a duration such as "7d", with one of the units s m h d w',
    "7 days": 'a duration such as "7d", with one of the units s m h d w (did you mean "7d"?)',
    "7D": 'a duration such as "7d", with one of the units s m h d w (did you mean "7d"?)',
    "30mins": 'a duration such as "7d", with one of the units s m h d w (did you mean "30m"?)',
    "3 months": (
        'a duration such as "7d", with one of the units s m h d w '
        '(months have no fixed length: did you mean "90d"?)'
    ),
    "1h30m": 'a duration such as "7d", with one of the units s m h d w',
    "1.5h": 'a whole number before the unit "h"',
    "0d": "a duration above zero and of at most 100 years",
    "-1d": "a duration above zero and of at most 100 years",
    "36601d": "a duration above zero and of at most 100 years",
    "٣d": 'a duration such as "7d", with one of the units s m h d w',
}

OFFSETS = {"7d": 7 * DAY, "-7d": -7 * DAY, "0d": 0, "-36600d": -LONGEST_DURATION}


@pytest.mark.parametrize(("text", "expected"), OFFSETS.items(), ids=OFFSETS)
def test_an_offset_may_lead_back(text: str, expected: int) -> None:
    assert offset(text) == expected


@pytest.mark.parametrize("text", ["36601d", "-36601d"])
def test_an_offset_is_of_at_most_a_century(text: str) -> None:
    with pytest.raises(QuantityError, match=r"^a duration of at most 100 years$"):
        offset(text)


UNITS = "one of the units k M G B kB MB GB TB KiB MiB GiB TiB %"
NO_AMOUNTS = {
    "": f'a number or a quantity such as "10GB", with {UNITS}',
    "10": f'a number or a quantity such as "10GB", with {UNITS}',
    "ten": f'a number or a quantity such as "10GB", with {UNITS}',
    "10gb": f'a number or a quantity such as "10GB", with {UNITS} (did you mean "10GB"?)',
    "10 K": f'a number or a quantity such as "10GB", with {UNITS} (did you mean "10k"?)',
    "5 million": f'a number or a quantity such as "10GB", with {UNITS} (did you mean "5M"?)',
    "80 percent": f'a number or a quantity such as "10GB", with {UNITS} (did you mean "80%"?)',
    "10 parsec": f'a number or a quantity such as "10GB", with {UNITS}',
    "1,000k": f'a number or a quantity such as "10GB", with {UNITS}',
    "1e3k": f'a number or a quantity such as "10GB", with {UNITS}',
    "9" * 16 + "k": f'a number or a quantity such as "10GB", with {UNITS}',
}


@pytest.mark.parametrize(("text", "message"), NO_DURATIONS.items(), ids=NO_DURATIONS)
def test_text_that_is_not_a_duration_is_refused_with_the_units_and_the_nearest(
    text: str, message: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        milliseconds(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "message"), NO_AMOUNTS.items(), ids=NO_AMOUNTS)
def test_text_that_is_not_a_quantity_is_refused_with_the_units_and_the_nearest(
    text: str, message: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        amount(text)
    assert str(caught.value) == message


def test_a_length_counts_in_units_that_it_is_whole_in() -> None:
    assert count_in(MINUTE, 2 * HOUR) == 120
    assert count_in(DAY, 36 * HOUR) is None


@given(st.integers(1, LONGEST_DURATION // DAY), st.sampled_from(["s", "m", "h", "d"]))
def test_a_duration_of_so_many_units_counts_so_many(number: int, unit: str) -> None:
    length = milliseconds(f"{number}{unit}")
    assert count_in(milliseconds(f"1{unit}"), length) == number


@given(st.integers(0, 10**15 - 1), st.sampled_from(["k", "GB", "TiB"]))
def test_quantities_of_a_unit_are_multiples_of_one(number: int, unit: str) -> None:
    assert amount(f"{number}{unit}") == number * amount(f"1{unit}")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_making_a_number_exact_changes_nothing_but_its_form(number: Decimal) -> None:
    assert exact(number) == number
    assert isinstance(exact(number), int) == (number == number.to_integral_value())


def test_an_exact_number_has_one_form() -> None:
    assert str(exact(Decimal("0.80"))) == "0.8"
    assert str(exact(Decimal("2.00"))) == "2"


@given(st.text())
def test_any_text_is_a_duration_or_refused_as_one(text: str) -> None:
    with suppress(QuantityError):
        assert 0 < milliseconds(text) <= LONGEST_DURATION
        assert offset(text) == milliseconds(text)


@given(st.text())
def test_any_text_is_a_quantity_or_refused_as_one(text: str) -> None:
    with suppress(QuantityError):
        assert isinstance(amount(text), int | Decimal)
