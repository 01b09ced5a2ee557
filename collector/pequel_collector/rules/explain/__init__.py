"""A condition and a definition at one instant, for people: evidence, progress, sentences.

May import: `rules.engine`, `rules.language` and `model`.
"""
