"""What metrics are counted from, in shared SQL: reads, writes and statements.

May import: what ``store/parts`` may.
"""
