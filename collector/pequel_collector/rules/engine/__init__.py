"""Definitions, compiled, and facts folded into the state of one subject. No clock, no store.

May import: `rules.language` and `model`.
"""
