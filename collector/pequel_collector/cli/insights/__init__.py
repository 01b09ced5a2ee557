"""Commands that measure: metrics, backtests, differences, suggestions.

May import: everything but ``server``.
"""
