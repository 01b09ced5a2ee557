"""Questions to the collector: the `Reader` and the HTTP requests that it makes.

May import `messages` for ids and times. Never imports `sending`: a process may read without a client.
"""
