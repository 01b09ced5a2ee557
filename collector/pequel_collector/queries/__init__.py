"""The read path: what the API answers about leads, users, accounts and events.

May import: `marking`, `ingest.receipts`, `rules`, `ports`, `model` and `errors`.
"""
