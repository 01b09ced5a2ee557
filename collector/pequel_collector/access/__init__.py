"""Who may use the collector: API keys.

May import: `ports`, `model`, `config` and `errors`.
"""
