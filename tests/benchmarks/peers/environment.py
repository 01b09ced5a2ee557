"""A virtual environment of its own for the peers, with Pequel beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
REPOSITORY = BENCHMARKS.parents[1]
FOLDER = REPOSITORY / ".venv-peers"
PYTHON = FOLDER / "bin" / "python"
PEERS = (
    "segment-analytics-python",
    "posthog",
    "rudder-sdk-python",
    "amplitude-analytics",
    "mixpanel",
    "snowplow-tracker",
)
BESIDE = ("gunicorn", "numpy")  # a server that forks, and values that applications have
_INSTALLED = FOLDER / "installed.json"


def prepare() -> None:
    """Make the environment, unless it is there with the same packages."""
    wanted = [*PEERS, *BESIDE]
    if _INSTALLED.exists() and json.loads(_INSTALLED.read_text()) == wanted:
        return
    print(f"installing {', '.join(wanted)} into {FOLDER.name}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--editable", REPOSITORY, *wanted], check=True)
    _INSTALLED.write_text(json.dumps(wanted))


def versions() -> dict[str, str]:
    """The version of each distribution in the environment."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "list", "--format", "json"],
        capture_output=True,
        check=True,
    )
    return {one["name"]: one["version"] for one in json.loads(listed.stdout)}


def command(module: str, *arguments: str) -> list[str]:
    """A module of this folder, as a command in the environment; see `variables`."""
    return [str(PYTHON), "-m", f"peers.{module}", *arguments]


def variables() -> dict[str, str]:
    """The environment such a command needs: nothing set for an SDK, and these modules found."""
    prefixes = ("PEQUEL_", "POSTHOG_", "AMPLITUDE_", "PYTHON")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(prefixes)}
    return kept | {"PYTHONPATH": str(BENCHMARKS)}
