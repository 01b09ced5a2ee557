"""The console: pages for people at ``/``. Each handler reads, calls one function and renders.

It asks what the API asks, and may import ``web.api`` for the shape of arguments and changes.
"""
