"""Checks of definitions that the grammar accepts, rule by rule: L01 to L27; and coverage.

``linter`` runs the rules of ``activity_only``, ``shape``, ``ownership``, ``unused_names``,
``unknown_events``, ``types_and_values`` and ``numbers``. May import: `insights`, `rules`, `model`.
"""
