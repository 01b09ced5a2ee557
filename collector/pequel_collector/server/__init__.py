"""The HTTP server: Granian, its workers, and how many requests run at once.

May import: `web`, `app`, `config` and `errors`.
"""
