"""Random cases by the thousand: the choices of `streams`, made by a `random.Random` alone.

Hypothesis keeps a record of each choice so that it can shrink a case, and that takes most of its
time. Here the same module is read once more over strategies that keep nothing. A case is made
again from its seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from unittest.mock import patch


class SearchStrategy:
    """A way to choose a value."""

    def __init__(self, choose: Callable[[Random], Any]) -> None:
        self.choose = choose

    def __class_getitem__(cls, _item: object) -> type[SearchStrategy]:
        return cls

    def map(self, change: Callable[[Any], Any]) -> SearchStrategy:
        return SearchStrategy(lambda chance: change(self.choose(chance)))


def just(value: Any) -> SearchStrategy:
    return SearchStrategy(lambda _chance: value)


def sampled_from(values: Sequence[Any]) -> SearchStrategy:
    return SearchStrategy(lambda chance: chance.choice(values))


def integers(least: int, most: int) -> SearchStrategy:
    return SearchStrategy(lambda chance: chance.randint(least, most))


def booleans() -> SearchStrategy:
    return sampled_from([False, True])


def one_of(strategies: Sequence[SearchStrategy], *more: SearchStrategy) -> SearchStrategy:
    choices = [strategies, *more] if isinstance(strategies, SearchStrategy) else strategies
    return SearchStrategy(lambda chance: chance.choice(choices).choose(chance))


def lists(of: SearchStrategy, min_size: int = 0, max_size: int = 10) -> SearchStrategy:
    return SearchStrategy(
        lambda chance: [of.choose(chance) for _ in range(chance.randint(min_size, max_size))]
    )


def tuples(*parts: SearchStrategy) -> SearchStrategy:
    return SearchStrategy(lambda chance: tuple(part.choose(chance) for part in parts))


def builds(target: Callable[..., Any], *parts: SearchStrategy) -> SearchStrategy:
    return SearchStrategy(lambda chance: target(*(part.choose(chance) for part in parts)))


def composite(function: Callable[..., Any]) -> Callable[..., SearchStrategy]:
    def strategy(*args: Any, **named: Any) -> SearchStrategy:
        return SearchStrategy(
            lambda chance: function(lambda part: part.choose(chance), *args, **named)
        )

    return strategy


class DrawFn:
    """What a composite strategy draws with."""


def read_again(path: Path) -> ModuleType:
    """The module `streams`, with the strategies of this one in place of Hypothesis's."""
    name = f"{__package__}.streams_by_chance"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    hypothesis = ModuleType("hypothesis")
    hypothesis.strategies = sys.modules[__name__]  # type: ignore[attr-defined]
    sys.modules[name] = module
    with patch.dict(sys.modules, hypothesis=hypothesis):
        spec.loader.exec_module(module)
    sys.modules[name] = module
    return module


_streams = read_again(Path(__file__).with_name("streams.py"))


def catalogue_of(chance: Random, max_definitions: int = 3) -> dict[str, Any]:
    """A catalogue in the whole language."""
    made: dict[str, Any] = _streams.catalogues(max_definitions=max_definitions).choose(chance)
    return made


def stream_of(chance: Random, max_size: int = 25) -> list[dict[str, Any]]:
    """Messages in their order of arrival."""
    made: list[dict[str, Any]] = _streams.streams(max_size=max_size).choose(chance)
    return made
