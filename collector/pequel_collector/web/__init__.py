"""HTTP. Handlers read a request, call one function and answer.

``app`` makes the application. ``ingest`` accepts events, ``api`` answers questions, ``ops`` is for
operators. May import everything but `server`, `cli` and `personas`.
"""
