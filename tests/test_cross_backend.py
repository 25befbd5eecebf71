"""One checkpoint, three backends: the same embeddings, losses and masks."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.long

BACKENDS = ("tensorflow", "jax", "torch")

MEASURE = """
import sys, keras, numpy, keras_simmim
folder, backend = sys.argv[1:]
assert keras.backend.backend() == backend
images, model = numpy.load(f"{folder}/images.npy"), keras.saving.load_model(f"{folder}/model.keras")
numpy.savez(
    f"{folder}/{backend}.npz",
    embeddings=model.embed(images),
    loss=model.evaluate(images, batch_size=8, verbose=0, return_dict=True)["loss"],
    mask=model.mask_generator.draw(keras.ops.zeros((8, 1)), 5),
)
"""


def test_the_other_backends_read_what_this_one_trained(make_model, images, tmp_path):
    model = make_model()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(images, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    embeddings = model.embed(images)
    loss = model.evaluate(images, batch_size=8, verbose=0, return_dict=True)["loss"]
    mask = keras.ops.convert_to_numpy(model.mask_generator.draw(keras.ops.zeros((8, 1)), 5))

    others = [backend for backend in BACKENDS if backend != keras.backend.backend()]
    assert len(others) == 2
    for backend in others:
        command = [sys.executable, "-c", MEASURE, str(tmp_path), backend]
        environment = {**os.environ, "KERAS_BACKEND": backend}
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, f"{backend}: {result.stderr[-3000:]}"
        measured = np.load(tmp_path / f"{backend}.npz")
        np.testing.assert_allclose(measured["embeddings"], embeddings, atol=1e-4, err_msg=backend)
        np.testing.assert_allclose(measured["loss"], loss, rtol=1e-4, err_msg=backend)
        np.testing.assert_array_equal(measured["mask"], mask, err_msg=backend)
