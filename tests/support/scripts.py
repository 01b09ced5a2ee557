"""Scripts that use the SDK, each in a process of its own."""

import os
import pathlib
import subprocess
import sys

import pequel

SOURCE = str(pathlib.Path(pequel.__file__).parents[1])


def run(script, **environ):
    """Run a script with every warning an error; returns what it prints and what it logs."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": SOURCE, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr, done.stderr
    return done.stdout.strip(), done.stderr.strip()
