"""What requests hold: parameters and bodies, checked, and their bounds.

May import: the rooms below ``web``, and what is loose in ``web``.
"""
