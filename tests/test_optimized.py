"""The compilers' optimizations, which other tests go without, leave the numbers as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

TESTS = Path(__file__).parent


@pytest.mark.turned(3)
@pytest.mark.parametrize(
    "path",
    [
        pytest.param("backend", marks=pytest.mark.only_on("jax")),
        "pretrained/test_official.py",
        "test_saving.py",
        "training/test_traced_step.py",
        "training/test_training.py",
    ],
)
def test_optimized_programs_give_the_same(path, tmp_path):
    environment = {
        **os.environ,
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "0",
        "XLA_FLAGS": "",
        "AOT_INDUCTOR_DEBUG_COMPILE": "0",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-k", "not replicas"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", TESTS / path]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]
