"""Puts a model of conversion into a store."""

from __future__ import annotations

from ..insights.likelihood.model import Model, store
from ..ports import AuditEntry, By, Store


def save(database: Store, model: Model, by: By) -> None:
    """Store a model in place of the one before, and note who did it."""
    details = {"subject": model.subject, "population": model.population}
    with database.writing() as tx:
        store(tx, model)
        tx.add_audit(AuditEntry(model.trained_at, "likelihood_trained", by, details))
