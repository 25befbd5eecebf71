"""Two replicas of `tf.distribute` train on different images as one device does on all of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# `tf.distribute` is TensorFlow's.
pytestmark = [pytest.mark.long, pytest.mark.only_on("tensorflow"), pytest.mark.turned(2)]
SCRIPT = Path(__file__).parents[1] / "support" / "replicas.py"


CASES = ["paper", "multimodal", "visible"]


def test_replicas_take_the_steps_that_one_device_takes(tmp_path):
    path = tmp_path / "results.npz"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    command = [sys.executable, str(SCRIPT), str(path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    arrays = dict(np.load(path))

    def of(case):
        """What one device and two replicas gave, by name."""
        prefixes = (f"{case}/{devices}/" for devices in ("one", "two"))
        return (
            {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            for prefix in prefixes
        )

    draws_by_the_number_of_the_image_in_the_whole_batch(*of("draws"))
    for case in (*CASES, *(f"{case}, incomplete" for case in CASES)):
        one, two = of(case)
        assert set(one) == set(two)
        assert {"loss", "gradient_norm", "weight 0"} <= set(one)
        for name, expected in one.items():
            message = f"{name} of {case}"
            np.testing.assert_allclose(two[name], expected, 1e-4, 1e-5, err_msg=message)
    counts_a_replica_without_images_as_one_more_image(*of("paper, too few"))
    for case in ("multimodal, too few", "visible, too few"):
        is_not_spoiled_by_a_replica_without_images(*of(case))


def draws_by_the_number_of_the_image_in_the_whole_batch(one, two):
    assert one["sizes"].tolist() == [8, 5]
    assert two["sizes"].tolist() == [4, 4, 3, 2]
    for name in ("masks", "factors"):
        np.testing.assert_array_equal(two[name], one[name])
        assert np.any(two[name][:4] != two[name][4:8])
    assert len(np.unique(two["masks"][:8], axis=0)) == 8
    assert set(np.unique(two["factors"])) == {0, 1, 2}


def counts_a_replica_without_images_as_one_more_image(one, two):
    weights = [name for name in one if name.startswith("weight")]
    assert len(weights) >= 2
    for name in weights:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-5, err_msg=name)


def is_not_spoiled_by_a_replica_without_images(before, two):
    for name, values in two.items():
        assert np.all(np.isfinite(values)), name
    weights = [name for name in two if name.startswith("weight")]
    assert any(np.any(two[name] != before[name]) for name in weights)
    assert two["skipped_steps"] == 0
