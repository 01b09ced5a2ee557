"""The JSON of metrics. A figure has the fields of its family, and leaves out those of others."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import fields, missing

from ...insights.metrics.catalogue import METRICS, Metric
from ...model import JSON
from ...rules.language.quantities import DAY, count_in
from .answer_schema import AnswerSchema, DescribedField, Object, Objects, Read, SubjectKey, Time

_UNITS = (("d", DAY), ("h", DAY // 24), ("m", 60_000), ("s", 1_000), ("ms", 1))
_NUMBER = {"type": ["number", "null"]}


class Horizon(DescribedField):
    """A length of time as a definitions file writes it: ``30d``."""

    json_schema: ClassVar = {"type": "string"}

    def convert(self, value: Any) -> Any:
        return length(value)


def length(value: int) -> str:
    """A length of time (ms) in the largest unit in which it is whole."""
    found = ((unit, count_in(each, value)) for unit, each in _UNITS)
    return next(f"{count}{unit}" for unit, count in found if count is not None)


class Interval(DescribedField):
    """The two ends of an interval; null of nothing."""

    json_schema: ClassVar = {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
    }


class Amounts(DescribedField):
    """Amounts of money by currency, as decimal texts; null where there is nothing to divide by."""

    json_schema: ClassVar = {
        "type": "object",
        "additionalProperties": {"type": ["string", "null"]},
    }


class Values(AnswerSchema):
    """The values of a figure."""

    numerator = fields.Integer()
    denominator = fields.Integer()
    immature = fields.Integer()
    rate = fields.Raw(metadata=_NUMBER)
    interval = Interval(allow_none=True)
    held_out = Object()
    difference = fields.Raw(metadata=_NUMBER)
    difference_interval = Interval(allow_none=True)
    month = fields.String()
    months = Objects()
    median_seconds = fields.Raw(metadata=_NUMBER)
    p90_seconds = fields.Raw(metadata=_NUMBER)
    n = fields.Integer()
    censored = fields.Integer()
    amounts = Amounts()
    rates = Object()
    starting = Amounts()
    new = Amounts()
    expansion = Amounts()
    contraction = Amounts()
    churn = Amounts()
    ending = Amounts()
    mrr = Amounts()
    total = Amounts()
    spend = Amounts()
    customers = fields.Integer()
    customers_by_currency = Object()
    unpriced = fields.Integer()
    ratios = Amounts()
    revenue = Amounts()
    people = fields.Integer()
    stages = Objects()
    pqls = fields.Integer()
    mean_months = fields.Raw(metadata=_NUMBER)
    median_months = fields.Raw(metadata=_NUMBER)
    high_value = Object()
    leads = fields.Integer()
    subjects = fields.Integer()
    states = Object()
    weeks = Objects()
    open = fields.Integer()
    overdue = fields.Integer()
    ages = Objects()
    dismissals = fields.Integer()
    reasons = Objects()
    other_reasons = fields.Integer()
    pairs = Objects()
    definitions = Objects()

    OMITTED: ClassVar[frozenset[str]] = frozenset(
        name for name, field in vars().items() if isinstance(field, fields.Field)
    )

    def reader(self, attribute: str) -> Read | None:
        if attribute in Values.OMITTED:
            return lambda found: found.values.get(attribute, missing)
        return super().reader(attribute)


class FigureGroup(Values):
    """The values of one segment."""

    by = Object()


class Figure(Values):
    """The figure of a metric, in a period and as of a time."""

    metric = fields.String(attribute="asked.metric.name")
    title = fields.String(attribute="asked.metric.title")
    from_ = Time(attribute="since", data_key="from")
    to = Time(attribute="until")
    horizon = Horizon(attribute="asked.horizon", allow_none=True)
    definition = fields.String(attribute="asked.definition", allow_none=True)
    version = fields.Integer(allow_none=True)
    as_of = Time()
    missing = fields.List(fields.String())
    groups = fields.List(fields.Nested(FigureGroup))
    more_groups = fields.Integer()


class MetricView(AnswerSchema):
    """The figures of a role."""

    role = fields.String()
    data = fields.List(fields.Nested(Figure), attribute="figures")
    next_cursor = fields.Constant(None)


class MetricAbout(AnswerSchema):
    """What a metric says: its formula in words, and what one may ask of it."""

    metric = fields.String(attribute="name")
    title = fields.String()
    formula = fields.String()
    family = fields.String()
    by = fields.List(fields.String())
    horizon = Horizon(allow_none=True)


class MetricMember(AnswerSchema):
    """A subject or a lead of a metric. ``standing`` is ``in``, ``out`` or ``immature``."""

    subject = SubjectKey()
    lead_id = fields.String(attribute="lead", allow_none=True)
    standing = fields.String()
    start = Time()
    end = Time(allow_none=True)


class SpendTaken(AnswerSchema):
    """How many amounts were written."""

    written = fields.Integer()


FIGURE, VIEW, ABOUT, MEMBER = Figure(), MetricView(), MetricAbout(), MetricMember()
SPENT = SpendTaken()


def abouts() -> dict[str, JSON]:
    """All metrics, in one page."""
    found: list[Metric] = list(METRICS.values())
    return {"data": ABOUT.dump(found, many=True), "next_cursor": None}
