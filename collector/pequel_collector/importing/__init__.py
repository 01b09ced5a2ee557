"""Logs of other products to messages in Segment's form: pure translation.

``files`` reads the lines of a log: JSON in any layout (``json_values``) or CSV (``csv_rows``). A
``Format`` makes messages of the object on a line; there is one module for each product, and
``mapping`` for any other log. ``recognise`` refuses a log that a format does not fit. Nothing here
knows a store, a clock or limits. May import: `model`, `errors`.
"""
