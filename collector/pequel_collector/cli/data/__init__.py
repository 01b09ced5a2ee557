"""Commands that bring data in and out.

May import: everything but ``server``.
"""
