"""Sections: many full blocks whose messages are indexed together."""

from __future__ import annotations

# Both are made again from the messages, a little at a time. Until then, messages are found by the
# indexes of the blocks. ``reached`` is a subject: those before it are indexed in the section after
# the finished ones, and it itself up to ``block``.
SECTIONS = (
    "DROP TABLE posting",
    """
    CREATE TABLE posting (
      section BIGINT NOT NULL,
      subject text NOT NULL,
      time BIGINT NOT NULL,
      mid text NOT NULL,
      bucket INTEGER NOT NULL,
      position INTEGER NOT NULL,
      PRIMARY KEY (section, subject, time, mid, bucket)
    ) CLUSTERED
    """,
    "DROP TABLE naming",
    """
    CREATE TABLE naming (
      section BIGINT NOT NULL,
      subject text NOT NULL,
      bucket INTEGER NOT NULL,
      time BIGINT NOT NULL,
      position INTEGER NOT NULL,
      mid text NOT NULL,
      PRIMARY KEY (section, subject, bucket)
    ) CLUSTERED
    """,
    """
    CREATE TABLE section_count (
      section BIGINT NOT NULL,
      subject text NOT NULL,
      name text NOT NULL,
      bucket INTEGER NOT NULL,
      number BIGINT NOT NULL,
      PRIMARY KEY (section, subject, name, bucket)
    ) CLUSTERED
    """,
    """
    CREATE TABLE indexing (
      sections BIGINT NOT NULL,
      reached text NOT NULL,
      block BIGINT NOT NULL
    )
    """,
    "INSERT INTO indexing (sections, reached, block) VALUES (0, 'a:', 0)",
)
