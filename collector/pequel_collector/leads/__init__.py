"""Leads: the ledger that opens, restates, voids and merges them.

May import: `rules`, `ports` and `model`.
"""
