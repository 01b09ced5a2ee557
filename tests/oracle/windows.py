"""Windows: which instants count for a leaf at a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from .definitions import Leaf
from .moment import Moment
from .values import DAY, EPOCH, HOUR, instant

Inside = Callable[[int], bool]


def window_of(leaf: Leaf, moment: Moment) -> Inside | None:
    """Whether an instant is in the leaf's window; None where the leaf's anchor is missing."""
    if leaf.of is not None:
        anchor = anchor_of(leaf.of, moment)
        return None if anchor is None else anchored(leaf, anchor)
    if leaf.within is None or leaf.measure == "sequence":
        return lambda time: time <= moment.tau
    if leaf.body.get("distinct") == "@day":
        return rolling_days(leaf.within // DAY, moment)
    if leaf.body.get("distinct") == "@hour":
        return rolling_hours(leaf.within, moment)
    return rolling(leaf.within, moment.tau)


def rolling(length: int, tau: int) -> Inside:
    return lambda time: tau - length < time <= tau


def anchored(leaf: Leaf, anchor: int) -> Inside:
    """[anchor + from, anchor + within); `of` alone has no end."""
    start, within = anchor + leaf.start, leaf.within
    return lambda time: start <= time and (within is None or time < anchor + within)


def rolling_days(days: int, moment: Moment) -> Inside:
    """The date of tau and those before it, in the project's time zone."""
    zone = moment.world.timezone
    today = day(moment.tau, zone)
    return lambda time: today - days < day(time, zone) <= today


def rolling_hours(length: int, moment: Moment) -> Inside:
    """The hour of tau and those before it, in the project's time zone."""
    zone = moment.world.timezone
    this_hour = hour(moment.tau, zone)
    return lambda time: this_hour - length < hour(time, zone) <= this_hour


@cache
def day(time: int, zone: str) -> int:
    """The number of the calendar date."""
    return local(time, zone).toordinal()


@cache
def hour(time: int, zone: str) -> int:
    """The instant at which the local hour began.

    Reading: an hour that the clocks repeat is two hours, and hours before it are hours elapsed.
    """
    offset = local(time, zone).utcoffset() or timedelta()
    shift = offset // timedelta(milliseconds=1)
    return (time + shift) // HOUR * HOUR - shift


def local(time: int, zone: str) -> datetime:
    return (EPOCH + timedelta(milliseconds=time)).astimezone(ZoneInfo(zone))


def anchor_of(anchor: str, moment: Moment) -> int | None:
    """When the subject's clock started, as known at tau."""
    project = moment.world.project
    if anchor == "signup":
        return signup(moment)
    if anchor == "trial":
        return earliest(moment, project["trial"]) if "trial" in project else None
    if anchor.startswith("first:"):
        return earliest(moment, anchor.removeprefix("first:"))
    if anchor.startswith("trait:"):
        return instant(moment.trait(anchor.removeprefix("trait:")), moment.world.timezone)
    raise ValueError(f"not an anchor: {anchor!r}")


def signup(moment: Moment) -> int | None:
    """The sign-up of a user, or of an account's first member, wherever it happened."""
    if moment.kind == "account":
        return signup(moment.first_member) if moment.first_member else None
    return earliest(moment, moment.world.project.get("signup", "*"))


def earliest(moment: Moment, event: object) -> int | None:
    """Reading: a member's anchors are among all events of the person, in any account."""
    matches = moment.world.event_matches
    return next((fact.time for fact in moment.own_events if matches(event, fact.event)), None)
