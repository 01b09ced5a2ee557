"""Alerts on their way: the safe HTTP client, the forms, and who sends what when.

May import: `ports`, `rules`, `model`, `config` and `errors`. It does not know the store's SQL.
"""
