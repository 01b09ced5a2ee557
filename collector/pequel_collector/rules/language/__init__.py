"""What a definition is: records, quantities, values, and what can be said of them without facts.

May import: `model` and `errors`.
"""
