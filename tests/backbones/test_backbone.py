"""The contract of every backbone: a stem, an encoder, and what lies between."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import Backbone, ConvNet, ViT

BACKBONES = {
    "conv_net": lambda shape: ConvNet(shape, filters=(3, 5), strides=2),
    "vit": lambda shape: ViT(shape, 4, num_layers=1, num_heads=2, hidden_dim=8),
    "custom": lambda shape: Backbone(
        shape, keras.layers.Conv2D(4, 2, 2), keras.layers.Conv2D(6, 3, padding="same")
    ),
}
FEATURE_SHAPES = {"conv_net": (2, 3, 5), "vit": (2, 3, 8), "custom": (4, 6, 6)}


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_is_its_encoder_after_its_stem(name, channels):
    backbone = BACKBONES[name]((8, 12, channels))
    pixels = ops.array(np.random.default_rng(0).normal(size=(2, 8, 12, channels)), "float32")
    stem = backbone.stem(pixels)
    features = backbone(pixels)
    assert tuple(stem.shape[1:]) == backbone.stem_shape
    assert tuple(features.shape[1:]) == backbone.feature_shape == FEATURE_SHAPES[name]
    assert backbone.compute_output_shape((None, 8, 12, channels)) == (None, *FEATURE_SHAPES[name])
    np.testing.assert_allclose(
        ops.convert_to_numpy(features), ops.convert_to_numpy(backbone.encoder(stem)), rtol=1e-6
    )


@pytest.mark.parametrize(
    "image_shape", [(8, 8), (8, 8, 3, 1), (8, 0, 3), (8.0, 8, 3), (None, 8, 3), (8, 8, -1)]
)
@pytest.mark.parametrize("name", BACKBONES)
def test_an_image_shape_out_of_range_is_named(name, image_shape):
    with pytest.raises(ValueError, match="image_shape") as error:
        BACKBONES[name](image_shape)
    assert repr(image_shape) in str(error.value)
