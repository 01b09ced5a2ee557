"""Slots for reading definitions and for evaluating them, which take up to seconds of CPU.

Each sort of work has its own: a preview that takes long does not keep others from reading.
"""

from __future__ import annotations

from .slots import WaitingSlots

MAX_WAITING = 4
"""Requests that may wait for a slot."""

TIMEOUT = 10.0
"""Seconds that a request waits for a slot."""

READING = WaitingSlots("too many definitions at once", 1, MAX_WAITING, TIMEOUT)
"""To parse, lint or activate the definitions in a body, or to describe the active ones."""

EVALUATING = WaitingSlots("too many evaluations of definitions at once", 1, MAX_WAITING, TIMEOUT)
"""To evaluate definitions with stored data."""
