"""How likely each subject is to convert, by what it did in the first days after sign-up.

May import: ``insights.suggest``, for its features, and what ``insights`` may import.
"""
