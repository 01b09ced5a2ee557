"""Questions to the collector: the `Reader`, and its HTTP requests.

May import `messages` and the basic modules of `pequel`, but not `sending`.
"""
