"""The write path: limits, group commit, receipts, event logs, replay of rejected events.

May import: `marking`, `identity`, `usage`, `wire`, `rules` and what lies below them.
"""
