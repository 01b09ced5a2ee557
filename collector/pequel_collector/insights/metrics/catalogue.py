"""The metrics by name: what each says, in words, and what one may ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ...rules.language.quantities import DAY

Family = Literal["rate", "duration", "money", "count"]
Counted = Literal["people", "leads", "customers", "spend", "funnel", "stages"]

HORIZON = 30 * DAY
SALE_HORIZON = 90 * DAY
RECENTLY = 30 * DAY
"""The period of a metric that is about changes, if none is given."""

QUARTER = 90 * DAY
"""The period of the funnel, if none is given."""

TRAIT = "trait."

_OF_PEOPLE = ("channel", "plan", "country", "trait.NAME")
_OF_LEADS = (*_OF_PEOPLE, "definition", "partner", "owner")


class Metric(NamedTuple):
    """A metric: its name, what it says, the formula in words, and the segments it may have.

    ``counts`` is what it is counted from. ``start`` and ``end`` are the milestones of a share or a
    length of time. ``horizon`` is that of a share, if none is given. ``period`` is how far back it
    looks if no ``from`` is given; None for all of the past.
    """

    name: str
    title: str
    formula: str
    family: Family
    counts: Counted
    by: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    horizon: int | None = None
    period: int | None = None

    @property
    def has_definition(self) -> bool:
        """Whether it can be that of one definition."""
        return self.counts == "leads" or self.end == "qualified" or self.name == "cost_per_pql"


_ALL = (
    Metric(
        "visitor_to_signup",
        "Visitors who sign up",
        "people first seen in the period who signed up within the horizon ÷ people first seen in "
        "the period whose horizon has passed",
        "rate", "people", _OF_PEOPLE, "seen", "signup", HORIZON,
    ),
    Metric(
        "signup_to_pql",
        "Sign-ups who become PQLs",
        "subjects who signed up in the period and qualified within the horizon ÷ subjects who "
        "signed up in the period and whose horizon has passed",
        "rate", "people", (*_OF_PEOPLE, "definition"), "signup", "qualified", HORIZON,
    ),
    Metric(
        "trial_to_pql",
        "Trials that become PQLs",
        "subjects whose trial began in the period and who qualified within the horizon ÷ subjects "
        "whose trial began in the period and whose horizon has passed",
        "rate", "people", (*_OF_PEOPLE, "definition"), "trial", "qualified", HORIZON,
    ),
    Metric(
        "pql_to_customer",
        "PQLs who become customers",
        "leads marked in the period whose subject converted after the mark and within the horizon "
        "÷ leads marked in the period whose horizon has passed; who was a customer at the mark is "
        "left out",
        "rate", "leads", _OF_LEADS, "marked", "converted", SALE_HORIZON,
    ),
    Metric(
        "time_to_pql",
        "Time from sign-up to PQL",
        "Kaplan-Meier median and 90 % quantile of the time from sign-up in the period to the first "
        "qualification",
        "duration", "people", (*_OF_PEOPLE, "definition"), "signup", "qualified",
    ),
    Metric(
        "time_to_value",
        "Time from sign-up to the first key event",
        "Kaplan-Meier median and 90 % quantile of the time from sign-up in the period to the first "
        "of the key events",
        "duration", "people", _OF_PEOPLE, "signup", "value",
    ),
    Metric(
        "time_to_contact",
        "Time from mark to first contact",
        "Kaplan-Meier median and 90 % quantile of the time from mark in the period to the first "
        "contact; held-out leads are left out",
        "duration", "leads", _OF_LEADS, "marked", "contacted",
    ),
    Metric(
        "time_to_won",
        "Time from mark to won",
        "Kaplan-Meier median and 90 % quantile of the time from mark in the period to won",
        "duration", "leads", _OF_LEADS, "marked", "won",
    ),
    Metric(
        "sla_attainment",
        "Leads contacted in time",
        "leads marked in the period and contacted by their due_at ÷ leads marked in the period "
        "whose due_at has come; held-out leads and leads closed without a contact are left out",
        "rate", "leads", _OF_LEADS,
    ),
    Metric(
        "lead_velocity",
        "Growth of qualified leads by month",
        "(leads that qualified in the last whole month − those in the month before) ÷ those in "
        "the month before",
        "rate", "leads", _OF_LEADS,
    ),
    Metric(
        "mrr_expansion",
        "Expansion of recurring revenue",
        "monthly recurring revenue that customers added in the period; the rates divide it by what "
        "they paid when the period began",
        "money", "customers", _OF_PEOPLE, period=RECENTLY,
    ),
    Metric(
        "ltv_per_account",
        "Lifetime value of a customer",
        "what customers have paid, and are bound to pay by contract, up to the end of the period ÷ "
        "customers",
        "money", "customers", _OF_PEOPLE,
    ),
    Metric(
        "arpa",
        "Average revenue of a paying customer",
        "monthly recurring revenue at the end of the period ÷ paying customers",
        "money", "customers", _OF_PEOPLE,
    ),
    Metric(
        "contract_term",
        "Length of contracts",
        "months of contract of the conversions in the period, and of those with the highest "
        "quarter of monthly prices",
        "count", "customers", _OF_PEOPLE,
    ),
    Metric(
        "cost_per_pql",
        "Cost of a PQL",
        "what was spent in the period ÷ subjects marked in the period, by first-touch channel",
        "money", "spend", ("channel",),
    ),
    Metric(
        "cost_per_customer",
        "Cost of a customer",
        "what was spent in the period ÷ customers who first converted in the period, by "
        "first-touch channel",
        "money", "spend", ("channel",),
    ),
    Metric(
        "roi",
        "Return on what channels cost",
        "what customers who first converted in the period have paid, and are bound to pay, up to "
        "its end ÷ what was spent in the period, by first-touch channel",
        "money", "spend", ("channel",),
    ),
    Metric(
        "funnel",
        "From visitor to customer",
        "people first seen in the period, how many of them signed up, then became PQLs, then were "
        "contacted, then won, and the Kaplan-Meier median time from the stage before",
        "count", "funnel", (*_OF_PEOPLE, "definition"), "seen", "qualified", period=QUARTER,
    ),
    Metric(
        "stage_to_customer",
        "Stages that become customers",
        "subjects who first had a stage in the period and converted after it and within the "
        "horizon ÷ subjects who first had it in the period and whose horizon has passed; who was "
        "a customer by then is left out; leads are the stage pql",
        "rate", "stages", ("stage",), "reached", "converted", SALE_HORIZON,
    ),
    Metric(
        "volume",
        "Leads",
        "leads marked in the period, by state and by week",
        "count", "leads", _OF_LEADS,
    ),
    Metric(
        "ageing",
        "Age of open leads",
        "leads marked in the period that are open, by the time since the mark, and those overdue",
        "count", "leads", _OF_LEADS,
    ),
    Metric(
        "dismissal_reasons",
        "Why leads are dismissed",
        "dismissals in the period, by reason",
        "count", "leads", ("definition",),
    ),
    Metric(
        "overlap",
        "Overlap of definitions",
        "subjects that both of two definitions marked in the period ÷ subjects that either marked",
        "count", "leads",
    ),
    Metric(
        "contact_effect",
        "What contact does",
        "share of leads whose subject converted within the horizon, those that may be contacted "
        "against those held out; the difference has an interval",
        "rate", "leads", _OF_LEADS, "marked", "converted", SALE_HORIZON,
    ),
    Metric(
        "definition_health",
        "Health of definitions",
        "leads a week, share of sign-ups, dismissals, restated and voided leads, the events that a "
        "definition needs, and its conversion in the older and the younger half of the period",
        "count", "leads", (), "marked", "converted", SALE_HORIZON,
    ),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}

ROLES: Mapping[str, tuple[str, ...]] = {
    "marketing": (
        "visitor_to_signup", "signup_to_pql", "volume", "time_to_pql", "cost_per_pql",
        "cost_per_customer", "roi", "funnel",
    ),
    "sales": (
        "volume", "pql_to_customer", "time_to_contact", "sla_attainment", "time_to_won", "ageing",
        "lead_velocity", "ltv_per_account", "contract_term", "dismissal_reasons",
        "stage_to_customer",
    ),
    "product": (
        "signup_to_pql", "trial_to_pql", "time_to_value", "time_to_pql", "pql_to_customer",
        "overlap",
    ),
    "customer_success": (
        "signup_to_pql", "time_to_value", "mrr_expansion", "arpa", "ltv_per_account",
    ),
    "engineering": ("signup_to_pql", "pql_to_customer", "definition_health"),
    "partner": ("volume", "pql_to_customer", "time_to_contact", "time_to_won", "sla_attainment"),
}  # fmt: skip
"""The metrics of each role's view, in order."""

VIEW_BY: Mapping[str, str] = {"partner": "partner"}
"""The segments of a role's view, where a metric may have them."""


def allows(metric: Metric, by: str) -> bool:
    """Whether a metric may have a segment."""
    is_trait = by.startswith(TRAIT) and by != TRAIT
    return by in metric.by or (is_trait and "trait.NAME" in metric.by)
