"""What the stored events say about definitions: samples and lift.

May import: `marking`, `rules`, `ports` and `model`.
"""
