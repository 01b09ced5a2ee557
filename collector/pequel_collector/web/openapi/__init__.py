"""The description of the HTTP API: each route says beside it what it takes and what it answers.

``operation`` is what a route says, ``document`` makes OpenAPI of it, ``pages`` serves that. May
import: `web/json`, `access` and `model`; `web/api` and `web/ingest` import ``operation``.
"""
