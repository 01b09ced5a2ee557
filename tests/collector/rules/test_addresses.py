"""Addresses: their domain, however they are written, and whose domains are personal."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formataddr
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oracle.values import mail_domain
from pequel_collector.rules.language import personal
from pequel_collector.rules.language.addresses import LONGEST, domain_of, normal_domain
from pequel_collector.rules.parser.catalogue import read_catalogue

ADDRESSES = {
    "ada@ours.example": "ours.example",
    " ada@ours.example\r\n": "ours.example",
    "Ada <ada@ours.example>": "ours.example",
    "<ada@ours.example>": "ours.example",
    '"Lovelace, Ada" <ada@ours.example>': "ours.example",
    "ada@ours.example (at work)": "ours.example",
    "ADA@Ours.Example.": "ours.example",
    "ada@ours": "ours",
    "ada@bücher.example": "bücher.example",
    "ada@BU\u0308CHER.example": "bücher.example",
    "ada@xn--bcher-kva.example": "bücher.example",
    "ada@mail.ours.example": "mail.ours.example",
}
NO_ADDRESSES: list[Any] = [
    *("", " ", "ada", "@ours.example", "ada@", "a@ours.example, b@ours.example", "ours.example"),
    *(None, True, 7, ["ada@ours.example"], {"email": "ada@ours.example"}),
]


@pytest.mark.parametrize(("text", "domain"), ADDRESSES.items())
def test_an_address_has_one_domain_however_it_is_written(text: str, domain: str) -> None:
    assert domain_of(text) == domain


@pytest.mark.parametrize("value", NO_ADDRESSES)
def test_what_is_no_single_address_has_no_domain(value: Any) -> None:
    assert domain_of(value) is None


@pytest.mark.parametrize(
    "text", ["(" * 10_000, "a@" + "b." * 200 + "c", "a@" + "x" * 300, "ada@ours.example " * 1_000]
)
def test_a_hostile_text_takes_no_time(text: str) -> None:
    found = domain_of(text)
    assert found is None or len(text) <= LONGEST


@given(st.text(max_size=80))
@example("0@\u00b4")
@example("0@a.\u00b4")
@example("0@\u3002")
def test_any_text_is_read(text: str) -> None:
    found = domain_of(text)
    assert found is None or found == normal_domain(found) != ""


LABELS = st.text("abcxyz-09", min_size=1, max_size=12).filter(lambda x: x.strip("-") == x)
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)


@given(LABELS, DOMAINS, st.sampled_from(["", "Ada", "Ada, Countess"]), st.booleans())
def test_a_formatted_address_is_read_as_the_oracle_reads_it(
    mailbox: str, domain: str, name: str, loud: bool
) -> None:
    plain = f"{mailbox}@{domain}"
    text = formataddr((name, plain.upper() if loud else plain))
    assert domain_of(text) == normal_domain(domain)
    if "," not in name:
        assert domain_of(text) == mail_domain(text)


@given(LABELS, DOMAINS)
def test_the_short_way_and_the_parser_agree(mailbox: str, domain: str) -> None:
    plain = f"{mailbox}@{domain}"
    assert domain_of(plain) == domain_of(f"<{plain}>")


# -- who is personal -----------------------------------------------------------------------


GUARDED = '[[pql]]\nname = "x"\nwhen = { event = "a" }\nunless = ["personal"]\n'


@pytest.fixture
def another_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A release of the package in which one more provider is listed."""
    monkeypatch.setattr(personal, "whitelist", {*personal.whitelist, "new-mail.example"})
    caches = (personal._free, personal.personal_domains, personal.digest)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def digest(text: str) -> str:
    return read_catalogue(text).definitions[0].hash


def test_the_big_providers_are_personal_and_companies_are_not() -> None:
    domains = personal.personal_domains(frozenset({"hey.example"}))
    assert {"gmail.com", "outlook.com", "yahoo.co.uk", "gmx.de", "icloud.com", "qq.com"} <= domains
    assert "hey.example" in domains
    assert not domains & {"google.com", "microsoft.com", "ibm.com", "example.com"}


def test_domains_that_the_project_adds_make_another_version() -> None:
    added = '[project]\npersonal_domains = ["hey.example"]\n' + GUARDED
    assert digest(added) != digest(GUARDED)
    assert digest(added.replace("hey", "HEY")) == digest(added)
    assert digest('[project]\npersonal_domains = ["gmail.com"]\n' + GUARDED) == digest(GUARDED)


def test_definitions_without_the_guard_do_not_change_with_its_domains() -> None:
    plain = GUARDED.replace('"personal"', '"internal"')
    assert digest('[project]\npersonal_domains = ["hey.example"]\n' + plain) == digest(plain)


def test_another_list_makes_another_version(request: pytest.FixtureRequest) -> None:
    before = digest(GUARDED)
    request.getfixturevalue("another_list")
    assert digest(GUARDED) != before
