"""From new facts to exact leads: histories, derivation, replay and back-fill.

May import: `leads`, `identity`, `rules`, `ports`, `model` and `errors`.
"""
