"""The rules: pure functions from a definition and facts to a qualification.

Nothing below this package reads a clock, a database, a file or the network.
"""
