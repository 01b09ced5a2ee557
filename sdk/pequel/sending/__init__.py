"""From an encoded event to a receipt: queue, sender, threads, HTTP, end of the process.

May import `messages` and the basic modules of `pequel` (`clock`, `log`, `backoff`, `config`,
`errors`). `pequel.client` builds what is here.
"""
