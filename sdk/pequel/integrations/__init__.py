"""Web frameworks, Celery and pytest: a module for each, which imports that framework alone.

May import `scope`, `log`, `messages` and `testing`; `asgi` also uses `sending.at_exit`.
"""
