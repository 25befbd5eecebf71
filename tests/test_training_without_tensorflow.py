"""Training from arrays needs neither TensorFlow nor TensorBoard, unless TensorFlow computes."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

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
TRAIN = Path(__file__).parent / "support" / "train_from_arrays.py"

if keras.backend.backend() != "tensorflow":

    @pytest.mark.long
    def test_arrays_are_enough(tmp_path):
        command = [sys.executable, "-c", f"{WITHOUT}\n{TRAIN.read_text()}"]
        environment = {**os.environ, "PYTHONPATH": str(Path(ks.__file__).parents[1])}
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr[-3000:]
        assert result.stdout.splitlines()[-1] == "trained without tensorflow, tensorboard"
