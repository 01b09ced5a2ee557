"""The random holdout: subjects whose leads nobody contacts, to measure what contact does.

Who is held out depends on the subject alone, so all leads of a subject are on the same side.
"""

from __future__ import annotations

from fractions import Fraction
from hashlib import blake2b

from ..model import Lead
from ..rules.language.quantities import Number

HOLDOUT = "holdout"
"""The flag of a lead that is held out: it gets no route and no alert."""

_SALT = b"pequel holdout\0"
_RANGE = 2**64


def is_held_out(lead: Lead) -> bool:
    """Whether nobody is to be sent to a lead."""
    return HOLDOUT in lead.flags


def falls_in(subject: str, share: Number) -> bool:
    """Whether a subject is among a share of all; who is in a share is in every larger one."""
    text = _SALT + subject.encode("utf-8", "surrogatepass")
    place = int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
    return Fraction(place, _RANGE) < Fraction(share)
