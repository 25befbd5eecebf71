"""Every backbone gives its maps by scale, and can be frozen up to a block."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import ConvNet, Swin, ViT, from_keras

pytestmark = pytest.mark.fast_on("torch")


def convolutional(**options):
    images = keras.Input((32, 48, 3))
    maps = keras.layers.Conv2D(4, 3, 2, padding="same", name="half")(images)
    maps = keras.layers.Conv2D(6, 3, padding="same", name="half_again")(maps)
    maps = keras.layers.Conv2D(8, 3, 2, padding="same", name="quarter")(maps)
    return from_keras(keras.Model(images, maps), mask_at="half", **options)


def backbones():
    sizes = {"hidden_dim": 4, "depths": (1, 2), "num_heads": (1, 1), "window_size": 4}
    return {
        "swin": (Swin((32, 48, 3), **sizes), [(4, 4), (8, 8)]),
        "vit": (ViT((32, 48, 3), 8, num_layers=1, num_heads=1, hidden_dim=4), [(8, 4)]),
        "conv_net": (ConvNet((32, 48, 3), (4, 6), strides=2), [(4, 6)]),
        "by stride": (convolutional(), [(2, 6), (4, 8)]),
        "by name": (convolutional(levels=["quarter", "half"]), [(2, 4), (4, 8)]),
    }


def test_the_maps_are_those_of_the_stages():
    images = np.random.default_rng(0).normal(size=(2, 32, 48, 3)).astype("float32")
    for name, (backbone, stages) in backbones().items():
        assert backbone.stages == stages, name
        maps = backbone.pyramid(images)
        expected = [(2, 32 // stride, 48 // stride, width) for stride, width in stages]
        assert [tuple(each.shape) for each in maps] == expected, name
        last = ops.convert_to_numpy(backbone(images))
        np.testing.assert_allclose(ops.convert_to_numpy(maps[-1]), last, rtol=1e-4, atol=1e-5)
        copy = type(backbone).from_config(backbone.get_config())
        assert copy.stages == stages, name


def test_levels_that_do_not_exist_are_named():
    with pytest.raises(ValueError, match=r"levels must be names of layers with maps.*'eighth'"):
        convolutional(levels=["half", "eighth"])


def test_freezing_up_to_a_block():
    backbone = ViT((16, 16, 3), 8, num_layers=3, num_heads=1, hidden_dim=4)
    backbone.freeze(2)
    depths = {backbone.depth_of(weight) for weight in backbone.trainable_variables}
    assert depths == {3, 4}
    with pytest.raises(ValueError, match="blocks must be from 0 to 3"):
        backbone.freeze(4)
