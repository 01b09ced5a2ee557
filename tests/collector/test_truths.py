"""Real event logs with answers that were worked out apart from Pequel, on both databases.

Each log is imported in the order of its file and shuffled; who qualified, and when, must be what
its ``truth.json`` says, down to the hashes.
"""

from __future__ import annotations

import gzip
import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.importing.line import Line
from pequel_collector.ingest.event_log import Import
from pequel_collector.model import id_of, iso
from pequel_collector.ports import LeadFilter
from pequel_collector.rules.parser.catalogue import read_catalogue

LOGS = {
    "sparkify-small": """
        [[pql]]
        name = "S1"
        when = { event = "NextSong", gte = 100, within = "7d" }
        [[pql]]
        name = "S2"
        when = { event = "*", distinct = "@day", gte = 5, within = "7d" }
        [[pql]]
        name = "S3"
        when = { event = "NextSong", gte = 20, within = "10d", of = "trait:registered" }
        [[pql]]
        name = "S4"
        when = { event = "NextSong", where = { level = "free" }, gte = 20, within = "7d" }
        [[pql]]
        name = "S5"
        when = { event = "NextSong", per = "sessionId", gte = 10 }
        [[pql]]
        name = "S6"
        when.all = [{ event = "Upgrade" }, { event = "NextSong", gte = 5 }]
        [[pql]]
        name = "S7"
        when = { event = "NextSong", distinct = "artist", gte = 20, within = "7d" }
        [[pql]]
        name = "S8"
        when = { event = "Add Friend", gte = 7, within = "10d", of = "signup" }
        """,
    "gharchive-2015010100": """
        [[pql]]
        name = "G1"
        when = { event = "PushEvent", gte = 3, within = "10m" }
        [[pql]]
        name = "G2"
        subject = "account"
        when = { event = "*", distinct = "@user", gte = 2 }
        [[pql]]
        name = "G3"
        when = { event = "*", distinct = "@event", gte = 3 }
        [[pql]]
        name = "G4"
        when = { event = "PushEvent", where = { distinct_size = { gte = 2 } }, gte = 2 }
        """,
    "learn365-dev": """
        [project]
        signup = "student_registered"
        [features]
        study = ["lesson_watched", "quiz_attempted", "exam_completed"]
        [[pql]]
        name = "L1"
        within = "7d"
        of = "signup"
        when = { event = "lesson_watched", distinct = "@day", gte = 3 }
        [[pql]]
        name = "L2"
        when = { event = "lesson_watched", sum = "minutes", gte = 60, within = "7d", of = "signup" }
        [[pql]]
        name = "L3"
        when = { event = "lesson_watched", distinct = "course_id", gte = 2, within = "14d" }
        [[pql]]
        name = "L4"
        when.all = [
          { event = "exam_completed", where = { result = { gte = 80 } } },
          { event = "lesson_watched" },
        ]
        [[pql]]
        name = "L5"
        within = "7d"
        when = { event = { feature = "study" }, distinct = "@day", gte = 5 }
        [[pql]]
        name = "L6"
        when = { event = ["lesson_watched", "quiz_attempted", "exam_completed"] }
        [[pql]]
        name = "L7"
        [pql.when]
        score  = { gte = 20 }
        within = "14d"
        of     = "signup"
        points = [
          { event = "lesson_watched", add = 1 },
          { event = "quiz_attempted", add = 2 },
          { event = "exam_completed", add = 5 },
          { event = "question_asked", add = 10 },
        ]
        [[pql]]
        name = "L8"
        when = { event = "lesson_watched", gte = 5, within = "7d" }
        """,
}


@pytest.mark.parametrize("order", ["in order of the file", "shuffled"])
@pytest.mark.parametrize("log", LOGS)
def test_a_real_log_gives_the_true_answers(
    log: str,
    order: str,
    shared_data: Path,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sets, instants and hashes are those of the truth, whatever the order of arrival.

    Shuffled, nearly all events are late, and come in larger batches, which takes half of the time.
    """
    folder = shared_data / log
    lines = gzip.decompress((folder / "events.ndjson.gz").read_bytes()).splitlines()
    lines += _registrations(lines)
    if order == "shuffled":
        random.Random(7).shuffle(lines)
        monkeypatch.setattr("pequel_collector.ingest.event_log.BATCH", 10_000)
    collector = open_collector(Settings(database=store_url), read_catalogue(LOGS[log]))
    imported = Import(collector.ingest.accept_batch, collector.settings, collector.clock)
    summary = imported.run(Line(number, text) for number, text in enumerate(lines, 1))
    assert (summary.read, summary.stored) == (len(lines), len(lines))
    truth = json.loads((folder / "truth.json").read_text())["definitions"]
    for definition in collector.catalogue.definitions:
        _assert_true(collector, definition.name, truth[definition.name])
    collector.close()


def _registrations(lines: list[bytes]) -> list[bytes]:
    """Where each event says when its user registered: that as a trait, told once."""
    found: dict[str, int] = {}
    for event in (json.loads(line) for line in lines if b'"registration"' in line):
        if event["user_id"] is not None:
            found[event["user_id"]] = int(event["properties"]["registration"])
    return [
        json.dumps(
            {
                "type": "identify",
                "userId": user,
                "messageId": f"registration-{user}",
                "timestamp": iso(time),
                "traits": {"registered": iso(time)},
            }
        ).encode()
        for user, time in found.items()
    ]


def _assert_true(collector: Collector, name: str, truth: dict[str, Any]) -> None:
    qualified = dict(_qualified(collector, name))
    assert qualified == truth["qualified_at"], name
    assert len(qualified) == truth["set_size"], name
    ids = sorted(identifier.encode() for identifier in qualified)
    assert sha256(b"\n".join(ids)).hexdigest() == truth["ids_sha256"], name
    rows = sorted(f"{identifier}\t{at}".encode() for identifier, at in qualified.items())
    assert sha256(b"\n".join(rows)).hexdigest() == truth["qualified_at_sha256"], name


def _qualified(collector: Collector, name: str) -> list[tuple[str, str]]:
    with collector.store.reading() as view:
        leads = view.leads(LeadFilter(definition=name), limit=100_000)
    standing = [lead for lead, _ in leads if lead.state != "voided"]
    return [(id_of(lead.subject), iso(lead.qualified_at)) for lead in standing]
