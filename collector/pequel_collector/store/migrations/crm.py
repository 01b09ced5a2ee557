"""The records of CRMs: which lead a record belongs to is found by the reference of a delivery."""

from __future__ import annotations

CRM = ("CREATE INDEX delivery_reference ON delivery (reference) WHERE reference IS NOT NULL",)
