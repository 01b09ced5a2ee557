"""HTTP. Handlers read a request, call one function and answer.

``app`` makes the application. ``ingest`` accepts events, ``api`` answers questions, ``console`` is
for people, ``hooks`` for CRMs, ``ops`` for operators. ``asked`` reads requests, ``answers`` makes
JSON of records. May import everything but `server`, `cli` and `personas`.
"""
