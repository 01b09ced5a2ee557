"""Checks of definitions that the grammar accepts, rule by rule: L01 to L22; and coverage.

``linter`` runs the rules of ``activity_only``, ``shape``, ``ownership``, ``unused_names`` and
``numbers``. May import: `insights.sample`, `rules` and `model`.
"""
