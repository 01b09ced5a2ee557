"""The queue on disk: one journal of segment files per process, locked while the process lives.

May import `sending.queue` and `sending.callbacks`. Only `pequel.client` imports this folder, and only
if the setting `spool` is given.
"""
