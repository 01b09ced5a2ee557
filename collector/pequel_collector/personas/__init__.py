"""Personas: somebody made up, what they do, and what they should be marked as."""

from .stage import Outcome, rehearse

__all__ = ["Outcome", "rehearse"]
