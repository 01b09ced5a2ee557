"""Examples of answers, by the name of their schema. A test checks each against its schema."""

from __future__ import annotations

from ...model import JSON

_TEXT = '[[pql]]\nname = "set_up"\nwhen = { event = "project_created", gte = 3 }'
_SOURCE: JSON = {"name": "set_up", "when": {"event": "project_created", "gte": 3}}
_HASH = "5b275533a9092fc1534847bf1fb7fb1f"
_WINDOW: JSON = {"from": None, "to": "2026-03-09T09:30:00.000Z"}
_TRAITS: JSON = {"email": "ada@acme.example", "country": "DE", "plan": "free"}
_LEAF: JSON = {
    "measure": "at least 3 × project_created",
    "holds": True,
    "observed": 3,
    "needed": 3,
    "window": _WINDOW,
    "events": [
        {
            "message_id": "019c9ab0-9626-7137-a380-d76cb4cf3d72",
            "time": "2026-03-09T09:30:00.000Z",
            "user": "u1",
            "properties": {"project_id": "p9"},
        },
    ],
    "more_events": 2,
}
_SEEN: JSON = {"first_seen": "2026-03-01T09:00:00.000Z", "last_seen": "2026-03-09T09:30:00.000Z"}
_PERSON: JSON = {"id": "u1", "traits": {"name": "Ada", "email": "ada@acme.example"}} | _SEEN
_EVIDENCE: JSON = {
    "sentence": "created 3 projects (3 needed)",
    "leaves": [_LEAF],
    "guards": [{"guard": "internal", "blocks": False}],
}

_SUGGESTED = """\
[[pql]]
name = "project_created_3_in_7d"
when = { event = "project_created", gte = 3, within = "7d", of = "signup" }
"""
_CONFUSION: JSON = {
    "tp": 1,
    "fp": 1,
    "fn": 1,
    "tn": 7,
    "population": 10,
    "converters": 2,
    "predicted": 2,
    "base_rate": 0.2,
    "base_rate_interval": [0.056682, 0.509838],
    "precision": 0.5,
    "precision_interval": [0.094531, 0.905469],
    "recall": 0.5,
    "recall_interval": [0.094531, 0.905469],
    "lift": 2.5,
    "lift_interval": [0.456335, 4.543665],
    "mcc": 0.375,
    "mcc_interval": [-0.333328, 0.812732],
    "lead_time_seconds_median": 86400.0,
    "immature": 0,
    "already_converted": 0,
}

_FIGURES: JSON = {"set_size": 2, "strict": _CONFUSION, "landmark": _CONFUSION}

ERROR: JSON = {
    "error": {
        "code": "bad_parameter",
        "message": "limit: found '0', expected a whole number from 1 to 1000",
        "details": {
            "field": "limit",
            "found": "'0'",
            "expected": "a whole number from 1 to 1000",
        },
    }
}
INGEST_ERROR: JSON = {
    "success": False,
    "error": "the key is unknown or revoked, expected a write, write+marks or admin key",
    "code": "unknown_key",
    "message": "the key is unknown or revoked, expected a write, write+marks or admin key",
}
_DELIVERY: JSON = {
    "id": "msg_17_0f8e2b61c9d4a735",
    "alert": "sales",
    "type": "lead.qualified",
    "lead_id": "df48c7f1430f4abf6c7b7b16",
    "state": "waiting",
    "attempts": 1,
    "at": "2026-03-09T09:30:00.412Z",
    "queued_at": "2026-03-09T09:30:00.412Z",
    "next_attempt_at": "2026-03-09T09:30:04.102Z",
    "ended_at": None,
    "result": "503 Service Unavailable",
}
ENTRY: JSON = {
    "from": None,
    "to": "new",
    "at": "2026-03-09T09:30:00.412Z",
    "what": "opened",
    "before": {},
    "after": {"state": "new"},
    "reason": None,
    "actor": None,
}
LEAD: JSON = {
    "id": "df48c7f1430f4abf6c7b7b16",
    "definition": "set_up",
    "version": 1,
    "subject": {"kind": "user", "id": "u1"},
    "cycle": 1,
    "qualified_at": "2026-03-09T09:30:00.000Z",
    "marked_at": "2026-03-09T09:30:00.412Z",
    "state": "new",
    "holds_now": True,
    "kind": "new",
    "priority": "normal",
    "owner": None,
    "partner": None,
    "route": None,
    "claim": None,
    "stage": None,
    "due_at": None,
    "overdue": False,
    "snoozed_until": None,
    "contacted_at": None,
    "time_to_contact_seconds": None,
    "won_at": None,
    "self_serve": None,
    "amount": None,
    "currency": None,
    "expires_at": None,
    "merged_into": None,
    "flags": [],
    "account": "acme",
    "traits": _TRAITS,
    "title": "Set up",
    "play": "offer the team plan",
    "description": "a user who has project_created at least 3 times",
    "account_traits": {"employees": 120},
    "trial": {"started_at": "2026-03-01T09:00:00.000Z", "ends_at": None, "days_left": None},
    "evidence": _EVIDENCE,
}
_PROGRESS: JSON = {
    "definition": "set_up",
    "progress": 0.333333,
    "leaves": [
        _LEAF
        | {
            "holds": False,
            "observed": 1,
            "events": ["019ca500-9626-7137-a380-d772b4cf3d72"],
            "missing": 2,
            "time_left": None,
            "closed": False,
        }
    ],
    "blocked_by": [],
    "can_still_qualify": True,
}
_PROFILE: JSON = {
    "id": "acme",
    "traits": {"plan": "free"},
    "first_seen": "2026-03-01T09:00:00.000Z",
    "last_seen": "2026-03-09T09:30:00.000Z",
    "event_counts": {"project_created": 3, "signed_up": 1},
    "features": [
        {
            "name": "basic",
            "used": True,
            "used_events": ["project_created"],
            "unused_events": ["task_assigned"],
        }
    ],
    "leads": [],
}
_NEW_VERSION: JSON = {"version": 1, "hash": _HASH}
_STORED_VERSION: JSON = _NEW_VERSION | {
    "created_at": "2026-03-01T08:00:00.000Z",
    "activated_at": "2026-03-01T08:00:00.000Z",
    "actor": "file",
    "reason": "pequel.toml, saved at 2026-03-01T07:59:48.000Z",
    "changed": None,
    "source": _SOURCE,
    "text": _TEXT,
}
_DEFINITION: JSON = _NEW_VERSION | {
    "name": "set_up",
    "subject": "user",
    "title": None,
    "kind": "new",
    "priority": "normal",
    "owner": None,
    "description": "a user who has project_created at least 3 times",
    "on_change": "retroactive",
    "in_force_since": "2026-03-01T08:00:00.000Z",
    "source": _SOURCE,
    "text": _TEXT,
    "versions": [_STORED_VERSION],
}
_DEFINITIONS: JSON = {
    "data": [_DEFINITION],
    "next_cursor": None,
    "origin": {"kind": "file", "at": "2026-03-01T08:00:00.000Z", "instead_of": None},
    "backfill": {
        "state": "done",
        "done": 1204,
        "total": 1204,
        "leads": 17,
        "started_at": "2026-03-01T08:00:00.000Z",
        "finished_at": "2026-03-01T08:00:02.113Z",
        "changes": [{"name": "set_up", "version": 1, "added": 17, "withdrawn": 0}],
    },
    "project": {},
    "features": {},
    "metrics": [],
    "labels": {},
}
_BALANCE: JSON = {
    "received": 1210,
    "stored": 1204,
    "duplicates": 4,
    "rejected": {"too_large": 2},
    "suppressed": 0,
    "dropped_by_clients": {},
}

_NOBODY: JSON = {"count": 0, "worked": 0, "first": []}

_RATE: JSON = {
    "numerator": 12,
    "denominator": 80,
    "immature": 15,
    "rate": 0.15,
    "interval": [0.08794, 0.244132],
}
_FIGURE: JSON = {
    "metric": "signup_to_pql",
    "title": "Sign-ups who become PQLs",
    "from": "2026-03-01T00:00:00.000Z",
    "to": "2026-06-01T00:00:00.000Z",
    "horizon": "30d",
    "definition": "set_up",
    "version": 2,
    "as_of": "2026-06-01T08:00:00.000Z",
    "missing": [],
    "groups": [{"by": {"channel": "google"}} | _RATE],
    "more_groups": 0,
} | _RATE

OF_SCHEMAS: dict[str, JSON] = {
    "AuditEntry": {
        "at": "2026-03-09T09:30:00.412Z",
        "what": "definitions_put",
        "actor": "5f3c9a1e07bd",
        "reason": "fewer leads from trials",
        "details": {"versions": {"set_up": 2}},
    },
    "Entry": ENTRY,
    "Lead": LEAD,
    "Alert": {
        "name": "sales",
        "configured": True,
        "form": "webhook",
        "on": ["qualified", "overdue"],
        "waiting": 2,
        "oldest_waiting_at": "2026-03-09T09:30:00.412Z",
        "problem": None,
    },
    "DeliveryEntry": _DELIVERY,
    "CrmEvents": {
        "events": [
            {
                "id": "e-1",
                "outcome": "changed",
                "reason": None,
                "lead_id": "df48c7f1430f4abf6c7b7b16",
            }
        ]
    },
    "AlertTest": {
        "id": "msg_test_6f2a91c07e3b5d48",
        "alert": "sales",
        "type": "lead.qualified",
        "outcome": "sent",
        "result": "200 OK",
    },
    "LedgerEntry": ENTRY | {"lead_id": LEAD["id"], "lead": LEAD},
    "Status": {
        "subject": {"kind": "user", "id": "u2"},
        "is_pql": False,
        "account": "acme",
        "leads": [],
        "progress": [_PROGRESS],
    },
    "AccountProfile": _PROFILE,
    "UserProfile": _PROFILE
    | {
        "id": "u1",
        "traits": _TRAITS,
        "account": "acme",
        "ids": [{"kind": "user", "id": "u1"}, {"kind": "anonymous", "id": "5f1c"}],
        "leads": [LEAD],
    },
    "Event": {
        "messageId": "019c9ab0-9626-7137-a380-d76eb4cf3d72",
        "type": "track",
        "event": "project_created",
        "userId": "u1",
        "anonymousId": None,
        "account": "acme",
        "timestamp": "2026-03-09T09:30:00.000Z",
        "received_at": "2026-03-09T09:30:00.398Z",
        "properties": {"project_id": "p3"},
        "context": {},
    },
    "RejectedEvent": {
        "id": "019c9ab0962671378380",
        "received_at": "2026-03-09T09:30:00.398Z",
        "key": "5f3c9a1e07bd",
        "index": 0,
        "messageId": None,
        "code": "missing_id",
        "message": "found neither userId nor anonymousId, expected one of them",
        "field": "userId",
        "payload": '{"event": "project_created"}',
    },
    "Definitions": _DEFINITIONS,
    "NewDefinitions": _DEFINITIONS
    | {"new_versions": [_NEW_VERSION | {"name": "set_up"}], "changes": ["set_up → version 1"]},
    "ListedSubject": _PERSON | {"open_leads": 1},
    "People": {
        "data": [_PERSON | {"events": 40, "events_30d": 12, "caused": [LEAD["id"]]}],
        "complete": True,
        "next_cursor": None,
    },
    "Path": {
        "id": "u1",
        "steps": [
            {"at": _SEEN["first_seen"], "kind": "signup", "name": "signed_up"},
            {"at": _SEEN["last_seen"], "kind": "event", "name": "project_created", "count": 3},
            {"at": _SEEN["last_seen"], "kind": "lead", "name": "set_up", "lead": LEAD["id"]},
        ],
        "complete": True,
    },
    "Followed": {"kind": "lead", "at": LEAD["marked_at"], "lead": LEAD},
    "Near": {
        "data": [
            {
                "subject": {"kind": "user", "id": "u2"},
                "account": "acme",
                "traits": {"name": "Bob"},
                "last_seen": _SEEN["last_seen"],
                "progress": 0.666667,
                "missing": [_LEAF | {"holds": False, "observed": 2, "missing": 1}],
                "likelihood": 0.161322,
            }
        ],
        "looked_at": 400,
        "complete": False,
        "next_cursor": None,
    },
    "Adoption": {
        "feature": "export",
        "events": ["exported_csv"],
        "data": [_PERSON | {"used": True, "uses": 4}],
        "used": 1,
        "not_used": 0,
        "next_cursor": None,
    },
    "Usage": {
        "data": [{"key": "5f3c9a1e07bd", "label": "web shop", "month": "2026-03"} | _BALANCE],
        "total": _BALANCE,
        "next_cursor": None,
    },
    "Proof": {
        "result": "equal",
        "lead": LEAD,
        "derived": {
            "state": "new",
            "qualified_at": LEAD["qualified_at"],
            "account": "acme",
            "evidence": _EVIDENCE,
        },
        "definition": {"name": "set_up", "version": 1, "hash": _HASH, "text": _TEXT},
        "facts": 12,
        "differences": [],
    },
    "Previewed": {
        "data": [
            {
                "name": "set_up",
                "version": 2,
                "new_version": True,
                "gained": _NOBODY,
                "lost": {
                    "count": 1,
                    "worked": 0,
                    "first": [
                        {
                            "subject": {"kind": "user", "id": "ada"},
                            "name": "ada@acme.example",
                            "cycle": 1,
                            "qualified_at": "2026-03-09T09:30:00.000Z",
                            "worked": False,
                        }
                    ],
                },
                "earlier": _NOBODY,
                "later": _NOBODY,
            }
        ],
        "next_cursor": None,
        "subjects": 1204,
        "whole": True,
        "routing": [
            {
                "definition": "set_up",
                "route": "german",
                "assigned": "round_robin:dach",
                "leads": 12,
            }
        ],
    },
    "PartnerLedger": {
        "partner": "north",
        "data": [
            {
                "id": "df48c7f1430f4abf6c7b7b16",
                "definition": "set_up",
                "subject": {"kind": "account", "id": "acme"},
                "account": "acme",
                "won_at": "2026-03-20T14:00:00.000Z",
                "amount": "1200.00",
                "currency": "EUR",
                "self_serve": False,
                "claimed_at": "2026-03-09T10:00:00.000Z",
                "contacted_at": "2026-03-09T11:00:00.000Z",
            }
        ],
        "totals": {
            "leads": 12,
            "open": 8,
            "claimed": 6,
            "contacted": 5,
            "won": 1,
            "lost": 3,
            "amounts": {"EUR": "1200.00"},
        },
        "next_cursor": None,
    },
    "ListChange": {"partner": "north", "listed": 2, "added": 1, "removed": 0},
    "Overlap": {
        "partner": "north",
        "listed": 2,
        "known": 1,
        "by_state": {"customer": 0, "lead": 1, "trial": 0, "none": 0},
        "data": [
            {
                "entry": "acme.example",
                "account": "acme",
                "state": "lead",
                "leads": ["df48c7f1430f4abf6c7b7b16"],
            }
        ],
        "next_cursor": None,
    },
    "Potential": {
        "by": "country",
        "data": [{"name": "DE", "pqls": 40}, {"name": "FR", "pqls": 12}],
        "suppressed_groups": 3,
        "smallest_group": 5,
        "next_cursor": None,
    },
    "Linted": {
        "findings": [
            {
                "code": "L101",
                "level": "warning",
                "definition": "set_up",
                "file": "body",
                "line": 3,
                "column": 10,
                "message": "project_created was never seen",
                "accepted": None,
            }
        ],
        "errors": 0,
        "warnings": 1,
        "notes": 0,
        "accepted": 0,
        "sample": None,
        "coverage": None,
    },
    "BacktestAnswer": {
        "definition": "set_up",
        "description": "a user who has project_created at least 3 times",
        "subject_kind": "user",
        "population": "signup",
        "landmark_seconds": 604800.0,
        "horizon_seconds": 2592000.0,
        "end": "2026-03-31T17:20:00.000Z",
        "set_size": 2,
        "strict": _CONFUSION,
        "landmark": _CONFUSION,
        "leads_per_week": {
            "weeks": 5,
            "mean": 0.4,
            "busiest": 1,
            "last": 0,
            "capacity": None,
            "weeks_over_capacity": None,
        },
        "overlap": [{"definition": "keen", "both": 1, "only_this": 1, "only_other": 0}],
        "notes": [],
        "qualified": {"u1": "2026-03-09T09:30:00.000Z", "u2": "2026-03-19T08:00:00.000Z"},
    },
    "Figure": _FIGURE,
    "MetricView": {"role": "product", "data": [_FIGURE], "next_cursor": None},
    "MetricAbout": {
        "metric": "signup_to_pql",
        "title": "Sign-ups who become PQLs",
        "formula": "subjects who signed up in the period and qualified within the horizon ÷ …",
        "family": "rate",
        "by": ["channel", "plan", "country", "trait.NAME", "definition"],
        "horizon": "30d",
    },
    "MetricMember": {
        "subject": {"kind": "user", "id": "u1"},
        "lead_id": None,
        "standing": "in",
        "start": "2026-03-01T09:00:00.000Z",
        "end": "2026-03-09T09:30:00.000Z",
    },
    "SpendTaken": {"written": 1},
    "LikelihoodAnswer": {
        "subject_kind": "user",
        "landmark_seconds": 604800.0,
        "horizon_seconds": 2592000.0,
        "timezone": "UTC",
        "signup": "signed_up",
        "trained_at": "2026-04-01T06:00:00.000Z",
        "end": "2026-03-31T17:20:00.000Z",
        "population": 2892,
        "converters": 216,
        "strength": 0.1,
        "intercept": -3.1042,
        "terms": [
            {
                "text": "created 3 or more projects in the first 7 days",
                "weight": 0.8127,
                "event": "project_created",
                "measure": "count",
                "at_least": 3,
                "within_seconds": 604800.0,
            }
        ],
        "calibration": {
            "population": 1928,
            "converters": 145,
            "base_rate": 0.075207,
            "brier": 0.066113,
            "brier_of_base_rate": 0.069551,
            "auc": 0.712404,
            "bins": [
                {
                    "number": 1420,
                    "predicted": 0.042904,
                    "converted": 62,
                    "observed": 0.043662,
                    "interval": [0.034212, 0.055572],
                },
                {
                    "number": 508,
                    "predicted": 0.161322,
                    "converted": 83,
                    "observed": 0.163386,
                    "interval": [0.133778, 0.198047],
                },
            ],
        },
        "notes": [],
    },
    "SuggestionsAnswer": {
        "subject_kind": "user",
        "landmark_seconds": 604800.0,
        "horizon_seconds": 2592000.0,
        "end": "2026-03-31T17:20:00.000Z",
        "level": 0.05,
        "population": 4820,
        "converters": 361,
        "tries": 187,
        "suggestions": [
            {
                "name": "project_created_3_in_7d",
                "toml": _SUGGESTED,
                "description": "A user who has project_created at least 3 times within 7 days of "
                "sign-up",
                "training": _CONFUSION,
                "held_out": _CONFUSION,
                "training_p": 1.2e-09,
                "held_out_p": 0.0004,
            }
        ],
        "behaviours": [
            {
                "event": "project_created",
                "measure": "count",
                "property": None,
                "at_least": 3,
                "within_seconds": 604800.0,
                "figures": _CONFUSION,
                "p": 1.2e-09,
            }
        ],
        "notes": [],
    },
    "DiffAnswer": {
        "same": False,
        "definitions": [
            {
                "name": "set_up",
                "status": "changed",
                "before": "A user who has project_created at least 3 times",
                "after": "A user who has project_created at least 2 times",
                "changes": [{"path": "when.gte", "before": 3, "after": 2}],
                "on_data": {
                    "gained": {"u3": "2026-03-20T08:00:00.000Z"},
                    "gained_total": 1,
                    "lost": {},
                    "lost_total": 0,
                    "earlier": 2,
                    "later": 0,
                    "before": _FIGURES,
                    "after": _FIGURES | {"set_size": 3},
                },
            }
        ],
        "shared": [{"path": "project.timezone", "before": None, "after": "Europe/Berlin"}],
    },
}
