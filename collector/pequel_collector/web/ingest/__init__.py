"""Events in: the routes of the Segment tracking API, and two ways to their handler.

May import: `web`, `app`, `wire`, `ingest.receipts`, `model`, `config` and `errors`.
"""
