"""The form of what ``suggest`` answers."""

from __future__ import annotations

from marshmallow import fields

from .answer_schema import AnswerSchema, Time
from .backtest_schemas import ConfusionAnswer, Probability, Seconds


class SuggestedDefinition(AnswerSchema):
    """A definition that a search found, and that the held-out period confirms."""

    name = fields.String()
    toml = fields.String()
    description = fields.String()
    training = fields.Nested(ConfusionAnswer)
    held_out = fields.Nested(ConfusionAnswer)
    training_p = Probability(attribute="suggestion.training_p")
    held_out_p = Probability(attribute="suggestion.held_out_p")


class BehaviourAnswer(AnswerSchema):
    """The condition on one event that goes best with conversion."""

    event = fields.String(attribute="condition.feature.event")
    measure = fields.String(attribute="condition.feature.measure")
    property = fields.String(attribute="condition.feature.property", allow_none=True)
    at_least = fields.Integer(attribute="condition.threshold")
    within_seconds = Seconds(attribute="condition.feature.window")
    figures = fields.Nested(ConfusionAnswer)
    p = Probability()


class SuggestionsAnswer(AnswerSchema):
    """Definitions that precede conversion, and what each event says of it."""

    subject_kind = fields.String(attribute="wanted.subject")
    landmark_seconds = Seconds(attribute="wanted.landmark")
    horizon_seconds = Seconds(attribute="wanted.horizon")
    end = Time()
    level = fields.Float(attribute="wanted.level")
    population = fields.Integer(attribute="result.size")
    converters = fields.Integer(attribute="result.converters")
    tries = fields.Integer(attribute="result.tries")
    suggestions = fields.List(fields.Nested(SuggestedDefinition))
    behaviours = fields.List(fields.Nested(BehaviourAnswer), attribute="result.behaviours")
    notes = fields.List(fields.String(), attribute="result.notes")


SUGGESTIONS = SuggestionsAnswer()
