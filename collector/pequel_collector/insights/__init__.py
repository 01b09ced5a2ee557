"""What the stored events say about definitions and the business: samples, lift and metrics.

May import: `marking`, `rules`, `ports` and `model`.
"""
