"""From an encoded event to a receipt: the queue, the sender, the threads, HTTP, the end of a process.

May import `messages`, and the modules of `pequel` that hold no client. The transports, queues and
workers of a client are made in `pequel.client`.
"""
