"""Jinja with bounds: what a template may compute, besides what it may reach.

The sandbox of Jinja keeps a template from the insides of Python. It lets one expression ask for
gigabytes, and nested loops for hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any, cast

from jinja2 import ChainableUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

LONGEST = 262_144
"""Characters that a template may make, and those of each text on the way."""

MAX_STEPS = 10_000
"""Turns of loops, calls and numbers of ranges."""

SIZE_OF_STEP = 256
"""A call or a filter that gets a text or a list takes a further step for each so many characters or
items: some filters take a hundred nanoseconds for each."""

_LARGEST = 10**18
_METHODS = frozenset({
    "capitalize", "count", "endswith", "find", "get", "isdigit", "items", "keys", "lower", "lstrip",
    "rstrip", "split", "startswith", "strip", "title", "upper", "values",
})  # fmt: skip
# They make a text or a list as long as their arguments say.
_FILTERS = ("batch", "center", "format", "indent", "pprint", "replace", "slice", "urlize",
            "wordwrap", "xmlattr")  # fmt: skip
_COUNTED = "counted"

steps: ContextVar[list[int]] = ContextVar("steps")
"""The steps that are left, in the only item of a list. It is set for each text that is made."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which texts, numbers, loops and calls have limits."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=ChainableUndefined, keep_trailing_newline=True, finalize=_checked
        )
        for name in _FILTERS:
            del self.filters[name]
        del self.globals["lipsum"]
        self.filters["tojson"] = _value_alone(self.filters["tojson"])
        self.filters = {name: _bounded(each) for name, each in self.filters.items()}
        self.filters["join"] = _join
        self.filters[_COUNTED] = _counted

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """The text of a macro or a block."""
        return _joined(parts)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _Bounds().visit(tree)
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja's
        """The value of an operation on numbers, or on short texts and lists with ``+``."""
        if isinstance(left, int | float) and isinstance(right, int | float):
            if max(abs(left), abs(right)) > _LARGEST or (operator == "**" and abs(right) > 64):
                raise SecurityError("a number is too large")
        elif operator != "+":
            raise SecurityError(f"{operator} works with numbers only")
        elif (size := _size(left) + _size(right)) > LONGEST:
            raise SecurityError(f"a text or a list is over {LONGEST:,} long")
        else:
            _take(size // SIZE_OF_STEP)
        return self.binop_table[operator](left, right)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """What a call returns. Of texts, lists and numbers, only some methods can be called."""
        owner = getattr(obj, "__self__", None)
        _take(1 + _size(owner) // SIZE_OF_STEP)
        is_plain = isinstance(owner, str | bytes | int | float | list | tuple | dict)
        if is_plain and obj.__name__ not in _METHODS:
            raise SecurityError(f"{obj.__name__} cannot be called")
        found = super().call(context, obj, *args, **kwargs)
        if isinstance(found, range):
            _take(len(found))
        return found


class _Bounds(NodeTransformer):
    """Makes loops count their turns, and ``~`` join with a limit."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's name
        if node.recursive:
            raise SecurityError("a loop cannot be recursive")
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _COUNTED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "join")


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", node), name, [], [], None, None, lineno=node.lineno)


def _take(number: int) -> None:
    left = steps.get()
    left[0] -= number
    if left[0] < 0:
        raise SecurityError(f"the template takes more than {MAX_STEPS:,} steps")


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        _take(1)
        yield item


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict) else 1


def _checked(value: Any) -> Any:
    """A value, if it and all inside of it are not too long as a text."""
    _length(value)
    return value


def _length(value: Any) -> int:
    """About how long a value is as a text. Raises SecurityError if it is too long."""
    left, waiting = LONGEST, [value]
    while waiting:
        each = waiting.pop()
        left -= _size(each) + 1
        if left < 0:
            raise SecurityError(f"a text or a list is over {LONGEST:,} long")
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list | tuple):
            waiting += each
    return LONGEST - left


def _bounded(call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that takes and gives no more than fits into a text.

    Each use is a step, and more with a long text.
    """

    @wraps(call)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        length = sum(map(_length, (*args, *kwargs.values())))
        _take(1 + length // SIZE_OF_STEP)
        return _checked(call(*args, **kwargs))

    return bounded


def _value_alone(call: Callable[..., Any]) -> Callable[..., Any]:
    """``tojson`` without ``indent``, which is as wide as it says."""

    @wraps(call)
    def alone(context: Any, value: Any) -> Any:
        return call(context, value)

    return alone


def _join(value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    """The filter ``join``, and the operator ``~``."""
    _take(1)
    if attribute is not None:
        raise SecurityError("join has no attribute here: use map(attribute=…) before it")
    return _joined(str(_checked(each)) for each in _separated(value, str(d)))


def _separated(value: Iterable[Any], separator: str) -> Iterator[Any]:
    for number, each in enumerate(value):
        if number and separator:
            yield separator
        yield each


def _joined(parts: Iterable[str]) -> str:
    found: list[str] = []
    left = LONGEST
    for part in parts:
        left -= len(part)
        if left < 0:
            raise SecurityError(f"the template makes more than {LONGEST:,} characters")
        found.append(part)
    return "".join(found)
