"""A real training process is killed twice, once while it saves, and goes on to the last bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "endurance.py"


def test_a_killed_run_ends_as_one_that_nobody_killed(tmp_path):
    backend = keras.backend.backend()
    command = [sys.executable, SCRIPT, "--here", "--part", "kills", "--backend", backend]
    options = ["--kills", "2", "--results", tmp_path / "results.json"]
    run = subprocess.run([*command, *options], capture_output=True, text=True, env=os.environ)
    assert run.returncode == 0, run.stderr
    found = json.loads((tmp_path / "results.json").read_text())[backend]["kills"]
    assert found["kills"] == {"any moment": 1, "while saving": 1}
    assert found["steps"] == 5 * 7
    assert found["arrays compared"] > 50
    assert found["largest difference"] == 0
    assert found["losses equal to the last bit"]
