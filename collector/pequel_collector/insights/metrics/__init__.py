"""Figures of a product and its leads. Each has one formula, in one function.

``roles``, ``channels`` and ``catch_up`` say who did what when. The other modules count over plain
records, without a clock or a database, but for ``figures``, which reads the records of a metric.
"""
