"""The write path: limits, one commit for many requests, receipts, event logs.

May import: `marking`, `identity`, `wire`, `rules`, `ports`, `model` and `errors`.
"""
