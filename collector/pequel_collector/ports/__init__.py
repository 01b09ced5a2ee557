"""What a store does, in the words of the domain.

Each module has the records and the methods of one thing.

A store holds *facts* (messages, traits, memberships), data *derived* from them (histories and
leads), and what people decide (keys, definition versions). One test suite checks both
implementations; no code above this module knows which one is in use.

A *history* is what the definitions read of one subject, in order of time, in pages: one open page
that grows, and sealed pages numbered from 1. A *cell* is a part of a history's state that is stored
apart, because there are too many to fit in a page. Each version of a cell has the number of the
page at whose end it held. Histories can be rebuilt from the messages.

The *order of facts* is (time, position, messageId). A trait value, a group call and a link have the
time, the position and the id of their message.

Messages keep the ids that they came with. *Links* say which ids belong to one *person*. To read the
messages of a person, pass all ids of that person.
"""

from .console import ConsoleSession, SavedView
from .decisions import CLI, Act, AuditEntry, By, DefinitionEntry, Usage, Version
from .histories import Cell, SealedPage
from .leads import Change, LeadCursor, LeadFilter, LeadSort, OpenLead, PartnerLeads, WonAmount
from .messages import (
    ANY_REJECTED,
    Arrival,
    ImportRun,
    Outline,
    RejectedCursor,
    RejectedFilter,
    Scan,
    ScannedMessage,
    StoredRejectedEvent,
)
from .metrics import (
    EARLIEST,
    MILESTONES,
    BlockMessage,
    FirstFact,
    FunnelLead,
    FunnelVisits,
    MetricLead,
    Milestone,
    RevenueEvent,
    SpanQuery,
    Spend,
    StageReached,
)
from .outbox import (
    Attempted,
    Claimed,
    DeliveryFilter,
    DeliveryPlace,
    DeliveryState,
    OutboxDepth,
    Queued,
    StoredDelivery,
)
from .store import ReadTransaction, Store, WriteTransaction
from .subjects import Activity, FirstEvent, Link, ListedAccount, Membership, SearchHit, Seen, Trait

__all__ = [
    "ANY_REJECTED",
    "CLI",
    "EARLIEST",
    "MILESTONES",
    "Act",
    "Activity",
    "Arrival",
    "Attempted",
    "AuditEntry",
    "BlockMessage",
    "By",
    "Cell",
    "Change",
    "Claimed",
    "ConsoleSession",
    "DefinitionEntry",
    "DeliveryFilter",
    "DeliveryPlace",
    "DeliveryState",
    "FirstEvent",
    "FirstFact",
    "FunnelLead",
    "FunnelVisits",
    "ImportRun",
    "LeadCursor",
    "LeadFilter",
    "LeadSort",
    "Link",
    "ListedAccount",
    "Membership",
    "MetricLead",
    "Milestone",
    "OpenLead",
    "OutboxDepth",
    "Outline",
    "PartnerLeads",
    "Queued",
    "ReadTransaction",
    "RejectedCursor",
    "RejectedFilter",
    "RevenueEvent",
    "SavedView",
    "Scan",
    "ScannedMessage",
    "SealedPage",
    "SearchHit",
    "Seen",
    "SpanQuery",
    "Spend",
    "StageReached",
    "Store",
    "StoredDelivery",
    "StoredRejectedEvent",
    "Trait",
    "Usage",
    "Version",
    "WonAmount",
    "WriteTransaction",
]
