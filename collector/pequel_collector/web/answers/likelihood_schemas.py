"""The form of a model of conversion."""

from __future__ import annotations

from marshmallow import fields

from .answer_schema import AnswerSchema, Time
from .backtest_schemas import Rate, RateInterval, Seconds


class TermAnswer(AnswerSchema):
    """A condition, and what it adds to the log of the odds if it holds."""

    text = fields.String()
    weight = fields.Float()
    event = fields.String(attribute="condition.feature.event")
    measure = fields.String(attribute="condition.feature.measure")
    at_least = fields.Integer(attribute="condition.threshold")
    within_seconds = Seconds(attribute="condition.feature.window")


class BinAnswer(AnswerSchema):
    """Subjects of similar likelihood: what was predicted, and what came of it."""

    number = fields.Integer()
    predicted = Rate()
    converted = fields.Integer()
    observed = Rate()
    interval = RateInterval()


class CalibrationAnswer(AnswerSchema):
    """How well a model does for subjects who signed up later than those it was made of."""

    population = fields.Integer()
    converters = fields.Integer()
    base_rate = Rate()
    brier = Rate()
    brier_of_base_rate = Rate()
    auc = Rate()
    bins = fields.List(fields.Nested(BinAnswer))


class LikelihoodAnswer(AnswerSchema):
    """A model of conversion, and its calibration."""

    subject_kind = fields.String(attribute="subject")
    landmark_seconds = Seconds(attribute="landmark")
    horizon_seconds = Seconds(attribute="horizon")
    timezone = fields.String()
    signup = fields.String(allow_none=True)
    trained_at = Time()
    end = Time()
    population = fields.Integer()
    converters = fields.Integer()
    strength = fields.Float()
    intercept = fields.Float()
    terms = fields.List(fields.Nested(TermAnswer))
    calibration = fields.Nested(CalibrationAnswer)
    notes = fields.List(fields.String())


LIKELIHOOD = LikelihoodAnswer()
