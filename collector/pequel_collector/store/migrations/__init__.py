"""The steps of the schema, by subject. ``schema`` lists them in order.

Imports nothing but each other and the standard library.
"""
