"""The HTTP server: Granian, its workers, and how many requests run at once.

May import: `web`, `app`, `access`, `marking.active`, `config`, `model` and `errors`.
"""
