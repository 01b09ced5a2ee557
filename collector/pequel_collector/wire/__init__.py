"""Bytes of a request to messages and rejected events. No HTTP, no store.

``body`` inflates, ``decode`` finds the events and checks their shape, ``normalise`` makes messages
of them; ``schema`` describes an event. ``headers`` and ``pixel`` read what comes outside a body.
``rejected_events`` makes the text of a rejected event that is kept. May import: `model`, `config`.
"""
