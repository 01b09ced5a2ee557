"""What the definitions file says of CRMs: the forms of alerts, and ``[crm]``.

May import: `rules.language` and the modules of the parser that read single values.
"""
