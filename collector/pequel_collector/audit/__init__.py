"""What is stored, compared with a replay of the stored messages: verify and proof.

May import: `marking`, `leads`, `identity`, `rules`, `ports`, `model` and `errors`.
"""
