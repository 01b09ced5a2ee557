"""Scripts that use the SDK, each in a process of its own."""

import os
import pathlib
import subprocess
import sys

import pequel

SOURCE = str(pathlib.Path(pequel.__file__).parents[1])

# Imports of one module take a while, and say when they begin.
SLOW_IMPORT = """
import importlib.util, sys, threading, time, warnings
import pequel
warnings.simplefilter("ignore", DeprecationWarning)
began = threading.Event()

class Slow:
    def __init__(self, name):
        self.name = name
    def find_spec(self, name, path=None, target=None):
        if name != self.name or threading.current_thread() is threading.main_thread():
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def execute_slowly(module):
            began.set()
            time.sleep(0.3)
            execute(module)
        spec.loader.exec_module = execute_slowly
        return spec

def slow_import(name):
    sys.modules.pop(name, None)
    sys.meta_path.insert(0, Slow(name))
"""


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
