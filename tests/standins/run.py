"""Runs a stand-in on a port until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where a guide runs this file

from support.receivers import Behaviour, Receiver


def arguments(name: str) -> argparse.ArgumentParser:
    """What a stand-in is started with."""
    parser = argparse.ArgumentParser(description=f"A stand-in for {name}.")
    parser.add_argument("--port", type=int, default=8400)
    return parser


def serve(behaviour: Behaviour, name: str, port: int) -> None:
    """Answer requests as ``behaviour`` does."""
    with Receiver(behaviour, port).running() as receiver, suppress(KeyboardInterrupt):
        print(f"a stand-in for {name} listens on {receiver.url}", flush=True)
        Event().wait()
