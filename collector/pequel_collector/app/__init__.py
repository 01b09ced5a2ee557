"""The only wiring: settings to a running collector, and its background jobs.

May import everything but `web`, `server` and `cli`.
"""
