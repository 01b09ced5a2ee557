"""A stand-in for an incoming webhook of Slack: it checks messages and limits as Slack does.

    python tests/standins/slack.py --port 8402

The webhook is ``/services/T000/B000/XXXX``. ``GET /standin`` shows the messages that it has taken.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where a guide runs this file

from support.receivers import Reply, Slack, Taken


def _main() -> None:
    from run import arguments, serve

    slack = Slack()

    def answer(taken: Taken) -> Reply:
        if taken.path == "/standin":
            return Reply(
                200, {"Content-Type": "application/json"}, json.dumps(slack.messages).encode()
            )
        return slack(taken)

    serve(answer, "Slack", arguments("Slack").parse_args().port)


if __name__ == "__main__":
    _main()
