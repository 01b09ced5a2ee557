"""Personas: invented users and accounts that test definitions. May import what `app` may."""

from .stage import Outcome, rehearse

__all__ = ["Outcome", "rehearse"]
