"""For operators: health, readiness and Prometheus metrics.

May import: `web`, `app`, `usage` and `ports`.
"""
