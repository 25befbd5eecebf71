"""Segmenters and detectors measure the same on every backend, and take a compiled step there."""

import keras
import numpy as np
import pytest
from shapes_to_find import shapes_to_find

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]

# Of torch, with the weights below.
LOSSES = {"ImageSegmenter": 1.237976, "YOLO": 7.197379, "SSD": 7.672785, "FasterRCNN": 1.824583}


def made(kind):
    backbone = ks.backbones.Swin(
        (64, 64, 3), 4, hidden_dim=8, depths=(1, 1, 1), num_heads=(1, 2, 4), window_size=4
    )
    options = {"neck_width": 8}
    if kind is not ks.ImageSegmenter:
        options["head_width"] = 8
    return kind(backbone, num_classes=2, **options)


@pytest.mark.parametrize(
    "kind", [ks.ImageSegmenter, ks.YOLO, ks.SSD, ks.FasterRCNN], ids=lambda kind: kind.__name__
)
def test_the_loss_is_that_of_the_other_backends_and_a_step_lowers_it(kind):
    images, truth = shapes_to_find(4)
    if kind is ks.ImageSegmenter:
        truth = (images.mean(-1) > 125).astype("uint8")
    model = made(kind)
    generator = np.random.default_rng(0)
    weights = model.get_weights()
    for place, weight in enumerate(weights):
        if weight.ndim and weight.dtype == np.float32:
            # Scales stay near 1 and biases near 0, whatever a backend drew for them.
            middle = np.round(weight) if weight.ndim == 1 else 0.0
            weights[place] = middle + generator.normal(size=weight.shape, scale=0.05)
    model.set_weights(weights)
    model.compile(keras.optimizers.SGD(1e-3))
    before = model.evaluate(images, truth, batch_size=4, return_dict=True, verbose=0)["loss"]
    np.testing.assert_allclose(before, LOSSES[kind.__name__], rtol=1e-3)
    model.fit(images, truth, batch_size=4, epochs=3, verbose=0)
    after = model.evaluate(images, truth, batch_size=4, return_dict=True, verbose=0)["loss"]
    assert after < before
