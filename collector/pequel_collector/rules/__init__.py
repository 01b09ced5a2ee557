"""The rules: pure functions from a definition and facts to a qualification.

Nothing in here reads a clock, a database, a file or the network. May import: `model`, `errors`.
"""
