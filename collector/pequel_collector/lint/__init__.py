"""What is doubtful in definitions that the grammar accepts, rule by rule: L01 to L22.

``linter`` runs the rules of ``vague``, ``shape``, ``care``, ``seen`` and ``numbers`` over a
catalogue; ``sampling`` takes from a store the ``sample`` that some of them need. ``coverage`` says
of all that definitions need when it was last seen.
"""
