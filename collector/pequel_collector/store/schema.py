"""The tables and views, the same on both databases.

These rules hold for every table. Breaking one of them later would mean moving all rows:

* ``bucket`` is the last column of every primary and unique key of a table that grows with the
  number of subjects, and is never null. So such tables can be spread over machines by it.
* There are no foreign keys, triggers or sequences: they do not work across machines.
* The event table grows at its end. Only the index of message ids is filled in any order. The other
  index begins with the block, so that rows out of order stay within the open block.

The statements stand in ``migrations``, by subject. A released migration is never edited. The next
migration changes what it did.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .migrations.account_lists import ACCOUNT_LISTS
from .migrations.accounting import ACCESS, ACCOUNTING, IMPORTS, REPORTS
from .migrations.arrivals import ARRIVALS
from .migrations.console import CONSOLE, SNOOZED
from .migrations.crm import CRM
from .migrations.delivery import DELIVERY, KEPT_FOR_A_WHILE
from .migrations.facts import DECIDED, DERIVED, FACTS, TRAITS_OF, VIEWS
from .migrations.leads import DEFINITION_CHANGES, LEADS, LEAVING, OTHER_FIELDS
from .migrations.metrics import METRICS
from .migrations.persons import (
    HISTORIES,
    IDENTITY,
    IDS_OF,
    LAGGING,
    LEDGER,
    POSITIONS,
    TRAITS_NOW,
    TRAITS_OF_PERSON,
    VIEWS_OF_PERSONS,
)
from .migrations.reads import COUNTS, LISTS, READS
from .migrations.routing import ROUTING
from .migrations.sections import SECTIONS


class Migration(NamedTuple):
    """A numbered step of the schema, applied in one transaction."""

    name: str
    statements: tuple[str, ...]


class Dialect(NamedTuple):
    """The SQL that differs between the databases."""

    text: str
    """The type of text that is compared and sorted by its bytes."""
    bytes: str
    """The type of bytes."""
    clustered: str
    """The option that stores a table as one tree in the order of its key, if there is one."""
    iso: str
    """The expression for a time ``{}`` in milliseconds as ISO 8601 in UTC."""
    json_object: str
    """The expression for an object as text, of the columns ``name`` and ``value`` of rows."""
    json_text: str
    """The expression for the text in the JSON ``{}``."""


_MIGRATIONS = (
    Migration("0001_facts", FACTS),
    Migration("0002_derived", DERIVED),
    Migration("0003_decided", DECIDED),
    Migration("0004_views", VIEWS),
    Migration("0005_persons", (*HISTORIES, *IDENTITY, *LEDGER, *VIEWS_OF_PERSONS)),
    Migration("0006_lagging", LAGGING),
    Migration("0007_accounting", ACCOUNTING),
    Migration("0008_reports", REPORTS),
    Migration("0009_positions", POSITIONS),
    Migration("0010_reads", READS),
    Migration("0011_event_counts", COUNTS),
    Migration("0012_imports", IMPORTS),
    Migration("0013_leaving", LEAVING),
    Migration("0014_leads", LEADS),
    Migration("0015_access", ACCESS),
    Migration("0016_lists", LISTS),
    Migration("0017_definition_changes", DEFINITION_CHANGES),
    Migration("0018_routing", ROUTING),
    Migration("0019_delivery", DELIVERY),
    Migration("0020_metrics", METRICS),
    Migration("0021_console", CONSOLE),
    Migration("0022_arrivals", ARRIVALS),
    Migration("0023_snoozed", SNOOZED),
    Migration("0024_crm", CRM),
    Migration("0025_sections", SECTIONS),
    Migration("0026_account_lists", ACCOUNT_LISTS),
    Migration("0027_kept_for_a_while", KEPT_FOR_A_WHILE),
    Migration("0028_other_fields", OTHER_FIELDS),
)


def migrations(dialect: Dialect) -> list[Migration]:
    """All migrations for a database, oldest first."""
    return [
        Migration(m.name, tuple(_in_dialect(s, dialect) for s in m.statements)) for m in _MIGRATIONS
    ]


def _in_dialect(statement: str, dialect: Dialect) -> str:
    traits_of = TRAITS_OF.format(dialect.json_object)
    traits_of_person = TRAITS_OF_PERSON.format(dialect.json_object)
    statement = re.sub(r"traits_of\((.+?)\)", traits_of, statement)
    statement = re.sub(r"traits_of_person\((.+?)\)", traits_of_person, statement)
    statement = re.sub(r"traits_now\((.+?)\)", TRAITS_NOW.format(dialect.json_object), statement)
    statement = re.sub(r"json_text\((\w+)\)", dialect.json_text.format(r"\1"), statement)
    statement = re.sub(r"ids_of\((.+?)\)", IDS_OF, statement)
    statement = re.sub(r"iso\((\w+)\)", dialect.iso.format(r"\1"), statement)
    statement = statement.replace("CLUSTERED", dialect.clustered)
    statement = statement.replace("BYTES", dialect.bytes)
    return re.sub(r'(?<!")\btext\b', dialect.text, statement)
