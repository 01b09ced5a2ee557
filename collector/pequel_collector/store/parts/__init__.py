"""What the transactions of both databases are made of, by subject, in shared SQL.

May import: the rest of ``store`` but its transactions, and ``ports``.
"""
