"""How figures read: a share never stands without what it is of, its interval, and who is too young.

Pure functions from the values of ``insights.metrics`` to words and rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from ....insights.metrics.figure import Figure, Values
from ....model import JSON
from ..words import as_text, count, number

_AMOUNTS = ("starting", "new", "expansion", "contraction", "churn", "ending")
_TOTALS = {
    "total": "in all",
    "mrr": "monthly revenue in all",
    "revenue": "revenue",
    "spend": "spent",
}
SMALL = 20
"""A share of fewer than this many is marked as a small sample."""


class Reading(NamedTuple):
    """A figure in words: what it is, and what one must know beside it."""

    main: str
    beside: str = ""
    share: float | None = None
    is_small: bool = False


class Row(NamedTuple):
    """A segment and its figure."""

    name: str
    reading: Reading


class Listed(NamedTuple):
    """A list that belongs to a figure: its title, and rows of a name, a number and words."""

    title: str
    rows: Sequence[tuple[str, float, str]]


def rows_of(figure: Figure) -> list[Row]:
    """A figure in words, then each of its segments."""
    family = figure.asked.metric.family
    rows = [Row("All", reading(family, figure.values))]
    rows += [Row(_segment(each.by), reading(family, each.values)) for each in figure.groups]
    return rows


def reading(family: str, values: Values) -> Reading:
    """Values in words."""
    if family == "rate":
        return share(values)
    if family == "duration":
        return _duration(values)
    if family == "money":
        return _money(values)
    return _count(values)


def share(values: Mapping[str, Any]) -> Reading:
    """A share: ``12 of 85 (14 %, 95 %: 8–23 %)``, and ``31 too young to tell``."""
    numerator, denominator = values["numerator"], values["denominator"]
    young = values["immature"]
    beside = f"{number(young)} too young to tell" if young else ""
    if "month" in values:  # growth, of which the parts may be less than nothing
        return _growth(values)
    if not denominator:
        return Reading("none old enough to tell" if young else "nobody yet", beside)
    main = f"{number(numerator)} of {number(denominator)} ({percent(values['rate'])}"
    if values["interval"]:
        main += f", 95 %: {between(values['interval'])}"
    return Reading(main + ")", beside, values["rate"], denominator < SMALL)


def percent(value: float) -> str:
    """A share of one: ``14 %``; small ones with a digit more."""
    percents = value * 100
    digits = 1 if 0 < abs(percents) < 10 and round(percents, 1) != round(percents) else 0
    return f"{percents:.{digits}f} %"


def between(interval: Sequence[float]) -> str:
    """Two ends of an interval: ``8–23 %``."""
    low, high = interval
    return f"{low * 100:.0f}–{high * 100:.0f} %"


def lasting(seconds: float | None) -> str:
    """A length of time: ``3.2 d``."""
    if seconds is None:
        return "not known yet"
    for name, unit in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= unit:
            return f"{number(round(seconds / unit, 1))} {name}"
    return f"{number(round(seconds, 1))} s"


def amounts(values: Mapping[str, str | None]) -> str:
    """Amounts by currency: ``EUR 1,200.00``."""
    found = [f"{name or '?'} {_money_text(text)}" for name, text in values.items()]
    return " · ".join(found) or "nothing yet"


def lists_of(figure: Figure) -> list[Listed]:
    """The lists that belong to a figure, but for those that are drawn."""
    values = figure.values
    found: list[Listed] = []
    if values.get("states"):
        found.append(_plain("By state", values["states"].items()))
    if "ages" in values and values["open"]:
        found.append(_plain("Age", ((each["age"], each["leads"]) for each in values["ages"])))
    if values.get("reasons"):
        rows = [(each["reason"] or "no reason", each["leads"]) for each in values["reasons"]]
        found.append(_plain("By reason", rows))
    if values.get("stages"):
        found.append(Listed("Stage", list(_stages(values["stages"]))))
    if values.get("pairs"):
        found.append(Listed("Pairs", [_pair(each) for each in values["pairs"]]))
    return found


def trend_of(figure: Figure) -> list[tuple[str, int]]:
    """Leads by week, or by month: what is drawn of a figure. Weeks without any are there too."""
    values = figure.values
    if values.get("weeks"):
        return _every_week({each["week"]: each["leads"] for each in values["weeks"]})
    return [(each["month"], each["leads"]) for each in values.get("months") or ()]


def _every_week(leads: Mapping[str, int]) -> list[tuple[str, int]]:
    """The weeks from the first to the last, also those without leads."""
    first, last = (date.fromisoformat(edge(leads)) for edge in (min, max))
    weeks = (first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1))
    return [(week.isoformat(), leads.get(week.isoformat(), 0)) for week in weeks]


def _growth(values: Mapping[str, Any]) -> Reading:
    month, then, more = values["month"], values["denominator"], values["numerator"]
    if month is None:
        return Reading("no whole month yet")
    now = count(then + more, "lead")
    before = f"{number(then)} in the month before"
    rate = f" ({values['rate'] * 100:+.0f} %)" if values["rate"] is not None else ""
    return Reading(f"{now} in {month}, {before}{rate}")


def _duration(values: Mapping[str, Any]) -> Reading:
    if not values["n"]:
        return Reading("nobody yet")
    median, p90 = lasting(values["median_seconds"]), lasting(values["p90_seconds"])
    main = (
        f"half within {median}" if values["median_seconds"] is not None else "not half of them yet"
    )
    if values["p90_seconds"] is not None:
        main += f", 90 % within {p90}"
    arrived = values["n"] - values["censored"]
    beside = f"{number(arrived)} of {number(values['n'])} so far"
    return Reading(main, beside, None, values["n"] < SMALL)


def _money(values: Mapping[str, Any]) -> Reading:
    beside = [
        f"{words} {amounts(values[name])}" for name, words in _TOTALS.items() if values.get(name)
    ]
    beside += [f"{name} {amounts(values[name])}" for name in _AMOUNTS if values.get(name)]
    for name, one in (("customers", "customer"), ("pqls", "PQL")):
        if name in values:
            beside.append(count(values[name], one))
    if "ratios" in values:
        return Reading(_ratios(values["ratios"]), " · ".join(beside))
    return Reading(amounts(values["amounts"]), " · ".join(beside))


def _ratios(ratios: Mapping[str, float | str | None]) -> str:
    """What comes back of what was spent: ``EUR 3.2 times``."""
    found = [
        f"{name} {number(round(float(ratio), 1))} times"
        for name, ratio in ratios.items()
        if ratio is not None
    ]
    return " · ".join(found) or "nothing spent yet"


def _count(values: Mapping[str, Any]) -> Reading:
    if "stages" in values:
        stages = values["stages"]
        return Reading(f"{number(values['people'])} people", f"{len(stages)} stages")
    if "leads" in values:
        return Reading(
            count(values["leads"], "lead"),
            f"of {count(values['subjects'], 'user or account', 'users and accounts')}",
        )
    if "open" in values:
        overdue = f"{number(values['overdue'])} overdue" if values["overdue"] else "none overdue"
        return Reading(f"{number(values['open'])} open", overdue)
    if "dismissals" in values:
        return Reading(count(values["dismissals"], "dismissal"))
    if "mean_months" in values:
        return _terms(values)
    if "pairs" in values:
        return Reading(count(len(values["pairs"]), "pair") + " with leads")
    return Reading(count(len(values.get("definitions", ())), "definition"))


def _terms(values: Mapping[str, Any]) -> Reading:
    if not values["n"]:
        return Reading("no contract with a term yet")
    mean, middle = values["mean_months"], values["median_months"]
    main = f"{number(mean)} months on average, half up to {number(middle)}"
    return Reading(main, f"of {count(values['n'], 'contract')}", None, values["n"] < SMALL)


def _stages(stages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float, str]]:
    """Each stage, with the people of the stage before that reached it."""
    before = 0
    for each in stages:
        name, people = each["stage"], each["people"]
        parts = {"numerator": people, "denominator": before, "immature": 0}
        words = share({**parts, **each}).main if "rate" in each and before else number(people)
        yield name, people, words
        before = people


def _plain(title: str, pairs: Any) -> Listed:
    return Listed(title, [(name, value, number(value)) for name, value in pairs])


def _pair(pair: Mapping[str, Any]) -> tuple[str, float, str]:
    first, second = pair["definitions"]
    either = sum(pair["subjects"]) - pair["both"]
    words = f"{number(pair['both'])} of {number(either)} in both"
    return f"{first} and {second}", pair["share"], words


def _segment(by: Mapping[str, JSON]) -> str:
    return ", ".join("none" if value is None else as_text(value) for value in by.values())


def _money_text(text: str | None) -> str:
    if text is None:
        return "–"
    whole, point, rest = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits or 0):,}{point}{rest}"
