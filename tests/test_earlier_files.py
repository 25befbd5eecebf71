"""Files that version 0.1.0 of 2026-11-26 wrote open, and training goes on from them as it did.

`tests/earlier/make_files.py` wrote them, on TensorFlow, before the package was rearranged.
"""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_simmim as ks

EARLIER = Path(__file__).parent / "earlier"
EXPECTED = json.loads((EARLIER / "expected.json").read_text())
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 16, 24, 3), dtype="uint8")
PARTLY = np.array([0, 1, 2, -1, 2, 1, -1, 0])
KNOWN = np.array([0, 1, 2, 0, 2, 1, 1, 0])
LABELS = {"multimodal": PARTLY, "article": PARTLY, "classifier": KNOWN, "frozen": KNOWN}
MODELS = [name for name in EXPECTED if (EARLIER / f"{name}.keras").exists()]
# Rounding grows over eight steps of these rates, the more in counts of right answers.
TOLERANCE = {"rel": 2e-2, "abs": 2e-3}


def close(found, expected):
    assert set(found) >= set(expected)
    for name, values in expected.items():
        if name != "accuracy":
            assert found[name] == pytest.approx(values, **TOLERANCE), name


@pytest.mark.parametrize("name", MODELS)
def test_a_model_opens(name):
    expected = EXPECTED[name]
    model = keras.saving.load_model(EARLIER / f"{name}.keras")
    assert len(model.trainable_weights) == expected["trainable"]
    np.testing.assert_allclose(model.embed(IMAGES), expected["embedding"], atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.fast_on("torch") if name == "classifier" else pytest.mark.long,
        )
        for name in MODELS
    ],
)
def test_a_model_goes_on(name):
    expected = EXPECTED[name]
    model = keras.saving.load_model(EARLIER / f"{name}.keras")
    data = (IMAGES, LABELS[name]) if name in LABELS else (IMAGES,)
    measured = model.evaluate(*data, batch_size=8, verbose=0, return_dict=True)
    close(measured, expected["evaluation"])
    # The optimizer's moments belong to the weights that they were saved for.
    history = model.fit(*data, batch_size=4, shuffle=False, verbose=0, epochs=2).history
    close(history, expected["next"])


def test_a_preset_opens():
    model = ks.SimMIM.from_preset(str(EARLIER / "preset"))
    expected = EXPECTED["preset"]["embedding"]
    np.testing.assert_allclose(model.embed(IMAGES), expected, atol=1e-4)


@pytest.mark.fast_on("torch")
def test_a_killed_run_goes_on(tmp_path):
    shutil.copytree(EARLIER / "checkpoints", tmp_path / "checkpoints")
    expected = EXPECTED["checkpoints"]
    run = ks.training.resume(tmp_path / "checkpoints")
    assert (run.epoch, run.batch) == (expected["epoch"], expected["batch"])
    place = {"epoch": run.epoch, "first_batch": run.batch}
    dataset = ks.data.from_arrays(IMAGES, PARTLY, batch_size=2, seed=5, **place)
    fit = {"epochs": 3, "initial_epoch": run.epoch, "verbose": 0}
    close(run.model.fit(dataset, **fit).history, expected["history"])
    np.testing.assert_allclose(run.model.embed(IMAGES), expected["embedding"], atol=1e-2)
