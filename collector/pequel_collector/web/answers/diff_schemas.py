"""The form of what ``diff`` answers."""

from __future__ import annotations

from heapq import nlargest
from typing import Any, ClassVar

from marshmallow import fields

from .answer_schema import AnswerSchema, DescribedField
from .backtest_schemas import ConfusionAnswer, Qualified


class AnyValue(DescribedField):
    """A value of a definitions file, or null where there is none."""

    json_schema: ClassVar = {}


class ChangeAnswer(AnswerSchema):
    """A value at a path of a table, before and after."""

    path = fields.String()
    before = AnyValue()
    after = AnyValue()


NAMED = 1_000
"""Subjects that an answer names for each effect: those with the latest times."""


class LatestQualified(Qualified):
    """When each subject first qualified, by its id; the latest ones."""

    def convert(self, value: Any) -> Any:
        latest = nlargest(NAMED, value.items(), key=lambda each: (each[1], each[0]))
        return super().convert(dict(latest))


class FiguresAnswer(AnswerSchema):
    """Both forms of a backtest."""

    set_size = fields.Integer()
    strict = fields.Nested(ConfusionAnswer)
    landmark = fields.Nested(ConfusionAnswer)


class OnDataAnswer(AnswerSchema):
    """What a change of a definition does on the data."""

    gained = LatestQualified()
    gained_total = fields.Integer()
    lost = LatestQualified()
    lost_total = fields.Integer()
    earlier = fields.Integer()
    later = fields.Integer()
    before = fields.Nested(FiguresAnswer, allow_none=True)
    after = fields.Nested(FiguresAnswer, allow_none=True)


class DefinitionDiffAnswer(AnswerSchema):
    """How one definition differs, in words and on the data."""

    name = fields.String()
    status = fields.String()
    before = fields.String(allow_none=True)
    after = fields.String(allow_none=True)
    changes = fields.List(fields.Nested(ChangeAnswer))
    on_data = fields.Nested(OnDataAnswer, allow_none=True)


class DiffAnswer(AnswerSchema):
    """How two texts of definitions differ."""

    same = fields.Boolean(attribute="is_same")
    definitions = fields.List(fields.Nested(DefinitionDiffAnswer))
    shared = fields.List(fields.Nested(ChangeAnswer))


DIFF = DiffAnswer()
