"""Stories: facts told one after the other to a collector, and who is marked because of each."""

from __future__ import annotations

from typing import Any

from pequel_collector.app.bootstrap import Collector
from pequel_collector.model import Kind
from pequel_collector.ports import LeadFilter

from .api import Api
from .streams import collector_of, messages_of, plain_event

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_772_323_200_000  # 2026-03-01T00:00Z

PROJECT = """
[project]
signup = "signed_up"
trial = "trial_started"
conversion = "subscription_started"
internal = { email_domain = ["ourcompany.example"], trait = { is_employee = true } }
[features]
basic = ["project_created", "task_assigned", "comment_added"]
"""


class Story:
    """Facts told one after the other to a collector, each at a time after the start."""

    def __init__(self, toml: str, project: str = PROJECT) -> None:
        self.collector: Collector = collector_of(project + toml)
        self.told = 0

    @classmethod
    def of_file(cls, toml: str) -> Story:
        """A story under a whole definitions file."""
        return cls(toml, project="")

    def tell(self, kind: str, user: str, at: int, **parts: Any) -> list[str]:
        """One message; the definitions that qualified because of it."""
        self.told += 1
        told = {"type": kind, "event": None, **parts}
        plain = plain_event(user, message_id=f"m{self.told:05}", time=START + at, **told)
        receipt = self.collector.ingest.accept(messages_of([plain]))
        return [lead.definition for lead in receipt.qualified]

    def track(
        self, user: str, event: str, at: int, account: str | None = None, **properties: Any
    ) -> list[str]:
        """One event."""
        return self.tell("track", user, at, event=event, properties=properties, groupId=account)

    def status(self, kind: Kind, identifier: str) -> dict[str, Any]:
        """What the API says."""
        return Api(self.collector).status(kind, identifier)

    def group(self, user: str, account: str, at: int, **traits: Any) -> list[str]:
        """A group call."""
        return self.tell("group", user, at, groupId=account, traits=traits)

    def identify(self, user: str, at: int, **traits: Any) -> list[str]:
        """An identify call."""
        return self.tell("identify", user, at, traits=traits)

    def leads(self) -> list[dict[str, Any]]:
        """Every lead that stands, as the worklist shows it."""
        found = Api(self.collector).pqls(LeadFilter(), 1_000)["data"]
        return [lead for lead in found if lead["state"] != "voided"]
