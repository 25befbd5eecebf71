"""Devices and processes that train together take the steps of one device on the whole batch."""

import signal
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from launch import finish, start

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]
SUPPORT = Path(__file__).parents[1] / "support"
# On torch each process has one device.
KINDS = ["processes"] if keras.backend.backend() == "torch" else ["devices", "processes"]
# The cases of a group are trained one after the other by the same processes.
CASES = ["everything,tokens,segmented", "modalities,mixed,detected"]


@pytest.mark.turned(2)
@pytest.mark.parametrize("cases", CASES)
def test_all_that_is_random_or_counts_a_batch_is_that_of_one_device(cases, tmp_path):
    found = {}
    for kind in ("one", *KINDS):
        path = tmp_path / f"{kind}.npz"
        finish(start(SUPPORT / "distributed.py", path, *cases.split(","), kind=kind))
        found[kind] = dict(np.load(path))
    one = found.pop("one")
    for case in cases.split(","):
        assert {f"{case}/loss", f"{case}/gradient_norm", f"{case}/embedded"} <= set(one)
    # While an epoch runs, TensorFlow's replicas log the mean of what each has of a metric.
    apart = {"segmented/mean_iou"} if keras.backend.backend() == "tensorflow" else set()
    for kind, several in found.items():
        assert set(one) == set(several)
        for name in set(one) - apart:
            message = f"{name} of {kind}"
            np.testing.assert_allclose(several[name], one[name], 1e-3, 1e-4, err_msg=message)


def pretrained(folder, epochs, kind):
    """The weights of a run that goes on where it was."""
    finish(start(SUPPORT / "pretrained_together.py", folder, epochs, kind=kind))
    arrays = np.load(folder / "weights.npz")
    return [arrays[name] for name in arrays.files]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return pretrained(tmp_path_factory.mktemp("run"), 24, "one")


def close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_run_goes_on_with_another_number_of_processes(tmp_path, uninterrupted):
    for epochs, kind in ((2, "one"), (4, "processes"), (24, "one")):
        weights = pretrained(tmp_path, epochs, kind)
    close(weights, uninterrupted)
    # Written once.
    rows = (tmp_path / "losses.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(step) for step in range(72)]


def test_a_killed_process_ends_the_others_and_the_run_goes_on(tmp_path, uninterrupted):
    script, losses = SUPPORT / "pretrained_together.py", tmp_path / "losses.csv"
    first, second = start(script, tmp_path, 24, kind="processes")
    ends = time.time() + 300
    while not losses.exists() or losses.read_text().count("\n") < 8:
        assert time.time() < ends
        assert second.poll() is None
        time.sleep(0.01)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    output, _ = first.communicate(timeout=400)
    assert first.returncode != 0
    assert not (tmp_path / "weights.npz").exists()
    words = "another" if keras.backend.backend() != "jax" else "task"
    assert words in output, output[-3000:]
    close(pretrained(tmp_path, 24, "processes"), uninterrupted)
