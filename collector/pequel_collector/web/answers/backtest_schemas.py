"""The form of what backtests answer. Rates have 6 decimals; one without a denominator is null."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import fields

from ...model import id_of, iso
from .answer_schema import AnswerSchema, DescribedField, Time

DECIMALS = 6


class Rate(DescribedField):
    """A number with 6 decimals, or null."""

    json_schema: ClassVar = {"type": ["number", "null"]}

    def convert(self, value: Any) -> Any:
        return round(value, DECIMALS)


class Probability(DescribedField):
    """A probability with three digits."""

    json_schema: ClassVar = {"type": "number", "minimum": 0, "maximum": 1}

    def convert(self, value: Any) -> Any:
        return float(f"{value:.3g}")


class Seconds(DescribedField):
    """A length in ms as seconds."""

    json_schema: ClassVar = {"type": "number"}

    def convert(self, value: Any) -> Any:
        return value / 1000


class RateInterval(DescribedField):
    """The two ends of a 95 % interval, or null."""

    json_schema: ClassVar = {
        "type": ["array", "null"],
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
    }

    def convert(self, value: Any) -> Any:
        return [round(end, DECIMALS) for end in value]


class Qualified(DescribedField):
    """When each subject first qualified, by its id."""

    json_schema: ClassVar = {
        "type": "object",
        "additionalProperties": {"type": "string", "format": "date-time"},
    }

    def convert(self, value: Any) -> Any:
        return {id_of(key): iso(time) for key, time in value.items()}


class ConfusionAnswer(AnswerSchema):
    """The four counts of one form of a backtest, and what follows from them."""

    tp = fields.Integer(attribute="counts.true_positives")
    fp = fields.Integer(attribute="counts.false_positives")
    fn = fields.Integer(attribute="counts.false_negatives")
    tn = fields.Integer(attribute="counts.true_negatives")
    population = fields.Integer(attribute="counts.population")
    converters = fields.Integer(attribute="counts.outcomes")
    predicted = fields.Integer(attribute="counts.predicted")
    base_rate = Rate()
    base_rate_interval = RateInterval()
    precision = Rate()
    precision_interval = RateInterval()
    recall = Rate()
    recall_interval = RateInterval()
    lift = Rate(attribute="counts.lift")
    lift_interval = RateInterval()
    mcc = Rate()
    mcc_interval = RateInterval()
    lead_time_seconds_median = fields.Float(allow_none=True)
    immature = fields.Integer()
    already_converted = fields.Integer()


class WeeklyAnswer(AnswerSchema):
    """How many leads a week a definition gives, against a capacity if one was stated."""

    weeks = fields.Integer()
    mean = Rate()
    busiest = fields.Integer()
    last = fields.Integer()
    capacity = fields.Integer(allow_none=True)
    weeks_over_capacity = fields.Integer(attribute="over_capacity", allow_none=True)


class OverlapAnswer(AnswerSchema):
    """How the set and the leads of a definition in force overlap."""

    definition = fields.String()
    both = fields.Integer()
    only_this = fields.Integer()
    only_other = fields.Integer()


class BacktestAnswer(AnswerSchema):
    """Who would have qualified for a definition, and how many of them converted afterwards."""

    definition = fields.String(attribute="definition.name")
    description = fields.String()
    subject_kind = fields.String(attribute="definition.subject")
    population = fields.String(attribute="question.population.text")
    landmark_seconds = Seconds(attribute="question.landmark")
    horizon_seconds = Seconds(attribute="question.horizon")
    end = Time()
    set_size = fields.Integer()
    strict = fields.Nested(ConfusionAnswer)
    landmark = fields.Nested(ConfusionAnswer)
    leads_per_week = fields.Nested(WeeklyAnswer, attribute="weekly")
    overlap = fields.List(fields.Nested(OverlapAnswer), attribute="overlaps")
    notes = fields.List(fields.String())
    qualified = Qualified()


BACKTEST = BacktestAnswer()
