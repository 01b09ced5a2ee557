"""What CRMs send back: ``POST /v1/hooks/{crm}``, signed, without an API key.

May import: the rest of `web`, and everything below it.
"""
