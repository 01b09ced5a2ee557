"""The query API: handlers read arguments, call one function and answer.

May import: `web`, `app` and everything below them.
"""
