"""What answers look like: the schemas that make JSON of records.

May import: the rooms below ``web``, and ``web/json``.
"""
