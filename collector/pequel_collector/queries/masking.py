"""E-mail addresses of which only the domain is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..model import JSON, id_of, kind_of, subject_key

ADDRESS = re.compile(r"[^\s@\"'<>(),;:]+@([^\s@\"'<>(),;:]+)")


def masked(value: JSON) -> JSON:
    """A value in which each e-mail address shows only its domain."""
    match value:
        case str():
            return ADDRESS.sub(r"•••@\1", value)
        case list():
            return [masked(each) for each in value]
        case Mapping():
            return {name: masked(each) for name, each in value.items()}
        case _:
            return value


def masked_subject(subject: str) -> str:
    """The key of a subject whose id shows only the domain if it is an e-mail address."""
    return subject_key(kind_of(subject) or "user", str(masked(id_of(subject))))
