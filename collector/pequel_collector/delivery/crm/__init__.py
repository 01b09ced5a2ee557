"""Forms that write leads into a CRM: one module for each, and what they share.

May import: the other modules of `delivery`, `rules.language` and `model`.
"""
