"""Whether the definitions in force judge a lead, and why one has lost its basis.

A lead rests on one version of a definition. What a later change of the definition does to it:

    the version in force gives it       it rests on that version, under its id
    that version does not give it       it is withdrawn: ``definition_changed``
    on_change = "forward"               it stays as it was, if it qualified before the change
    the definition was taken out        as if nobody qualified; a "forward" one keeps its leads
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..model import Lead
from ..rules.language.quantities import Number
from .outbox import NO_ALERTS, AlertRules

NO_BASIS = "what it rested on is gone"
"""Why a lead was withdrawn, as the change log shows it: the facts do not give it any more."""

DEFINITION_CHANGED = "definition_changed"
"""Why a lead was withdrawn: the facts are the same, and the version in force does not give it."""

SUPERSEDED = "superseded"
"""The flag of a lead that somebody has worked, and whose definition has changed."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force, as far as leads that exist already are concerned.

    ``versions`` are the numbers by definition name. ``activated`` is since when a definition with
    ``on_change = "forward"`` counts (ms). ``kept`` are definitions that were taken out and keep
    their leads. ``alerts`` are those that send changes of leads. ``holdout`` is the share of
    subjects whose new leads are held out.
    """

    versions: Mapping[str, int]
    activated: Mapping[str, int]
    kept: Collection[str]
    alerts: AlertRules = NO_ALERTS
    holdout: Number = 0

    def judges(self, lead: Lead) -> bool:
        """Whether a lead that is not given by what is in force loses its basis."""
        if lead.definition not in self.versions:
            return lead.definition not in self.kept
        return self.activated.get(lead.definition, lead.qualified_at) <= lead.qualified_at

    def keeps(self, lead: Lead) -> bool:
        """Whether a lead stays as it is, whatever the definitions in force say of its subject."""
        is_alive = lead.withdrawn is None and lead.merged_into is None
        return is_alive and not self.judges(lead)

    def reason(self, lead: Lead) -> str:
        """Why a lead that is judged, and not given, is withdrawn.

        The facts were gone first if it was withdrawn for that while its version was in force.
        """
        is_current = self.versions.get(lead.definition) == lead.version
        if is_current or lead.withdrawn not in (None, DEFINITION_CHANGED):
            return NO_BASIS
        return DEFINITION_CHANGED


def is_superseded(lead: Lead) -> bool:
    """Whether a lead lives on only because somebody has worked it before its definition changed."""
    return lead.withdrawn == DEFINITION_CHANGED and lead.state != "voided"
