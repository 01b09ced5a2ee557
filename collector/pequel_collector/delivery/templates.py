"""Templates of alerts: Jinja in its sandbox, which Flask brings along.

``string.Template`` has no loops and cannot quote a value for JSON. The sandbox keeps a template
from the insides of Python; what it makes has a limit.
"""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Template

from ..model import iso
from .records import Delivery
from .sandbox import LONGEST, MAX_STEPS, BoundedEnvironment, steps


class TemplateFailed(Exception):
    """A template cannot be filled in."""


def render(text: str, delivery: Delivery) -> str:
    """Fill a template in. What a lead does not have is left blank. Raises TemplateFailed."""
    made: list[str] = []
    length = 0
    token = steps.set([MAX_STEPS])
    try:
        for part in _template(text).generate(_names(delivery)):
            length += len(part)
            if length > LONGEST:
                raise TemplateFailed(f"the template makes more than {LONGEST:,} characters")
            made.append(part)
        return "".join(made)
    except TemplateFailed:
        raise
    except Exception as error:  # A template can raise any error, and would raise it again.
        raise TemplateFailed(f"the template cannot be filled in: {error}") from error
    finally:
        steps.reset(token)


def _names(delivery: Delivery) -> dict[str, object]:
    return {
        "type": delivery.type,
        "timestamp": iso(delivery.at),
        "id": delivery.id,
        "lead": delivery.lead,
        "route": delivery.route,
        "change": delivery.change or {},
        "link": delivery.link,
        "test": delivery.is_test,
    }


@lru_cache(maxsize=200)
def _template(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


_ENVIRONMENT = BoundedEnvironment()
