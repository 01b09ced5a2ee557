"""From TOML to definitions, every mistake with its place; and back to TOML.

May import: `rules.language`, `model` and `errors`.
"""
