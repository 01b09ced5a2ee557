"""Metrics: the figures of a role, one figure with its members, cohorts, and the funnel."""

from .pages import add, outlook

__all__ = ["add", "outlook"]
