"""What comes in over the wire: bytes in, messages and refusals out. No HTTP, no store.

``body`` inflates, ``decode`` finds the events and checks their shape, ``normalise`` reads what
they mean. ``schema`` is the one description of what an event may look like. ``headers`` and
``pixel`` read what clients say outside of a body; ``refusals`` keeps what was refused.
"""
