"""The meaning of definitions, decided by brute force.

For each subject and each of its moments, in order of time, look at all facts at or before
the moment and decide from scratch. Nothing is remembered between moments and nothing is
shared with the product: this is what the product's engine is compared with.

Read in this order: `values`, `identity`, `history` (facts), `definitions` (the grammar),
`moment`, `windows`, `measures` (the operators), `guards`, `qualify`. A comment that begins
with "Reading:" marks a choice where the documentation leaves one. `streams` makes random cases.
"""

from .measures import Reading
from .qualify import Key, blocking_guards, observed, qualifications

__all__ = ["Key", "Reading", "blocking_guards", "observed", "qualifications"]
