"""The queue on disk: each process writes a journal of segment files, locked while it lives.

May import `sending`. Only `pequel.client` imports this folder, and only for the setting `spool`.
"""
