"""The definitions of the recorded event logs, as Pequel says them."""

from __future__ import annotations

import json

from pequel_collector.model import iso

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


def registrations(lines: list[bytes]) -> list[bytes]:
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
