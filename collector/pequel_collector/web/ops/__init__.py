"""For whoever runs the collector: health, readiness and Prometheus metrics.

May import: `web`, `ingest.receipts` and `ports`.
"""
