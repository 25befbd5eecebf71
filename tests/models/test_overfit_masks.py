"""Both decoders learn eight images by heart, on every backend, by turns."""

import keras
import numpy as np
import pytest
from shapes_to_find import shapes_to_find

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(2)]


@pytest.mark.parametrize("decoder", ["unet", "fcn"])
def test_it_learns_eight_images_by_heart(decoder):
    images, truth = shapes_to_find()
    masks = np.zeros(images.shape[:3], "uint8")
    for mask, boxes, labels in zip(masks, truth["boxes"], truth["labels"], strict=True):
        for (left, top, right, bottom), label in zip(boxes.astype(int), labels, strict=True):
            mask[top:bottom, left:right] = label + 1
    masks = np.where(images.mean(-1) > 125, masks, 0)
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.Swin(
        (64, 64, 3), 4, hidden_dim=24, depths=(1, 1, 1), num_heads=(1, 2, 4), window_size=4
    )
    segmenter = ks.ImageSegmenter(backbone, num_classes=3, decoder=decoder)
    segmenter.compile(keras.optimizers.AdamW(1e-3))
    segmenter.fit(images, masks, batch_size=8, epochs=300, verbose=0)
    assert ks.evaluation.mean_iou(segmenter.segment(images), masks, 3)["mean_iou"] >= 0.95
