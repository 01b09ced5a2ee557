"""An integration imports its own framework and no other."""

import subprocess
import sys

import pytest

FRAMEWORKS = {"celery", "django", "flask", "flask_login", "pytest", "starlette", "requests"}
NEEDED = {"asgi": "sys", "wsgi": "sys", "celery": "celery.signals"}  # else what is named so
CODE = """
import sys, {needed}
before = set(sys.modules)
import pequel.integrations.{name}
print(*sys.modules.keys() - before)
"""


@pytest.mark.parametrize("name", ["asgi", "celery", "django", "flask", "pytest", "wsgi"])
def test_importing_one_imports_no_other(name):
    code = CODE.format(name=name, needed=NEEDED.get(name, name))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert FRAMEWORKS.intersection(done.stdout.split()) == set()
