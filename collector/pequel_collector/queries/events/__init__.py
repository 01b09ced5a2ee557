"""Reading messages and rejected events: the latest, the log, what arrives.

May import: what ``queries`` may.
"""
