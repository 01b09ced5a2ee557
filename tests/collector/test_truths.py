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
from support.truths import LOGS, registrations


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
    lines += registrations(lines)
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
