"""The read path: what the API answers about leads, users, accounts and events.

May import: `marking`, `identity`, `usage`, `rules`, `ports`, `model` and `errors`.
"""
