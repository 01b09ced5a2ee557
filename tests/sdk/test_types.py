"""The types of the package, as a strict application sees them."""

import subprocess
import sys
from pathlib import Path

CONSUMER = Path(__file__).with_name("typed_consumer.py")
STRICT = ("--strict", "--python-version=3.10", "--config-file=", "--no-error-summary")


def test_an_application_with_strict_types_can_use_all_of_it(tmp_path):
    """In the syntax of Python 3.10, and from the package as it is installed."""
    command = [sys.executable, "-m", "mypy", *STRICT, f"--cache-dir={tmp_path}", str(CONSUMER)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_all_of_it_is_in_there():
    import pequel

    text = CONSUMER.read_text()
    assert [name for name in pequel.__all__ if f"pequel.{name}" not in text] == []
