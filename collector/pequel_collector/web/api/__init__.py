"""The query API: handlers that read arguments, call one function and answer.

May import: `web`, `app`, `audit`, `lint`, `insights`, `ports`, `model` and `errors`.
"""
