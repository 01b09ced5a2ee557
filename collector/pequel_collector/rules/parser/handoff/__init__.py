"""Who gets a lead, and what is sent of it: ``[[route]]`` and ``[[alert]]``.

May import: ``rules/parser`` and ``rules/language``.
"""
