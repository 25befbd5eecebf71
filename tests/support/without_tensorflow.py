"""Python as it is where TensorFlow and TensorBoard are not installed."""

import os
import subprocess
import sys
from pathlib import Path

import keras_simmim as ks

# What Python finds nowhere. (A module that is None in `sys.modules` counts as there for Keras.)
WITHOUT = """
import importlib.machinery, sys

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.partition(".")[0] in {"tensorflow", "tensorboard"}
        return None if absent else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Finder
"""


def last_line(code, directory):
    """Run code in a process without TensorFlow and TensorBoard, and return its last line."""
    command = [sys.executable, "-c", f"{WITHOUT}\n{code}"]
    environment = {**os.environ, "PYTHONPATH": str(Path(ks.__file__).parents[1])}
    result = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.splitlines()[-1]
