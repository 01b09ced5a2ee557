"""What keeps a subject from qualifying: `internal`, `customer` and conditions."""

from __future__ import annotations

from .definitions import Condition, as_comparisons
from .measures import holds
from .moment import Moment
from .values import Scale, satisfies


def guard_holds(guard: str | Condition, moment: Moment) -> bool:
    if guard == "internal":
        return is_internal(moment)
    if guard == "customer":
        return is_customer(moment)
    assert not isinstance(guard, str)
    return holds(guard, moment)


def is_internal(moment: Moment) -> bool:
    """Any one line matches; for an account, on its own traits or on its first member's."""
    if own_traits_internal(moment):
        return True
    return (
        moment.kind == "account"
        and moment.first_member is not None
        and own_traits_internal(moment.first_member)
    )


def own_traits_internal(moment: Moment) -> bool:
    lines = moment.world.project.get("internal", {})
    if email_domain(moment) in [domain.lower() for domain in lines.get("email_domain", [])]:
        return True
    # Reading: each trait named is a line of its own.
    scale = Scale(trait=moment.trait)
    return any(
        satisfies(moment.trait(name), as_comparisons(wanted), scale)
        for name, wanted in lines.get("trait", {}).items()
    )


def email_domain(moment: Moment) -> str | None:
    email = moment.trait("email")
    if not isinstance(email, str) or "@" not in email:
        return None
    return email.rpartition("@")[2].lower()


def is_customer(moment: Moment) -> bool:
    """A conversion event of its own, or of the user's account, at or before tau."""
    conversion = moment.world.project.get("conversion")
    if conversion is None:
        return False
    events = list(moment.own_events)
    if moment.kind == "user" and moment.account is not None:
        events += moment.account.own_events
    return any(moment.world.event_matches(conversion, fact.event) for fact in events)
