"""Search for definitions that precede conversion.

``features`` turns events into numbers by subject, ``statistics`` tests, ``search`` decides on
records in memory, and ``suggest`` reads the store and writes TOML.
"""
