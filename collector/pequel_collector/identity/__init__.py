"""Who is who: the links between ids, the person at the end of them, and their account.

May import: `ports` and `model`.
"""
