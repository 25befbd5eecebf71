"""Weights that are cut over devices learn as those of one device."""

from pathlib import Path

import numpy as np
import pytest
from launch import finish, start

# `keras.distribution` shares weights on JAX alone.
pytestmark = [pytest.mark.long, pytest.mark.only_on("jax")]
SCRIPT = Path(__file__).parents[1] / "support" / "model_parallel.py"


def test_a_vit_whose_weights_are_cut_takes_the_steps_of_a_whole_one(tmp_path):
    found = {}
    for kind in ("one", "devices"):
        path = tmp_path / f"{kind}.npz"
        finish(start(SCRIPT, path, kind=kind))
        found[kind] = dict(np.load(path))
    assert found["devices"].pop("cut") == 8
    assert found["one"].pop("cut") == 0
    for name, expected in found["one"].items():
        np.testing.assert_allclose(found["devices"][name], expected, rtol=1e-3, atol=1e-4)
