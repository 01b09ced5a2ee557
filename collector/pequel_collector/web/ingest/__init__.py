"""Events in: the routes of the Segment tracking API, and two ways to their handler.

May import: `web`, `app` and everything below them.
"""
