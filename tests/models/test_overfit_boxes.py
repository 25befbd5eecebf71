"""Every detector learns eight images by heart, on every backend, by turns."""

import keras
import pytest
from shapes_to_find import overfitted

import keras_simmim as ks

pytestmark = [pytest.mark.long, pytest.mark.turned(3)]


# Faster R-CNN takes longer steps, and fewer.
@pytest.mark.parametrize(("kind", "steps"), [(ks.YOLO, 300), (ks.SSD, 300), (ks.FasterRCNN, 100)])
def test_it_learns_eight_images_by_heart(kind, steps):
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.Swin(
        (64, 64, 3), 4, hidden_dim=24, depths=(1, 1, 1), num_heads=(1, 2, 4), window_size=4
    )
    detector = kind(backbone, num_classes=2, neck_width=64)
    assert overfitted(detector, steps) >= 0.9
