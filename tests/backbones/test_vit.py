"""The vision transformer against the same computation in NumPy."""

import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_simmim.backbones import ViT
from keras_simmim.backbones.transformer_encoder import TransformerEncoder
from keras_simmim.layers.transformer_block import TransformerBlock


def randomise(layer):
    """Random weights, so that no bias is zero and no scale is one."""
    generator = np.random.default_rng(0)
    layer.set_weights([generator.normal(size=weight.shape) * 0.3 for weight in layer.weights])


def by_path(layer):
    """Weights as NumPy arrays, by their last two names."""
    return {
        "/".join(weight.path.split("/")[-2:]): ops.convert_to_numpy(weight)
        for weight in layer.weights
    }


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_forward_pass_on_a_map_that_is_not_square(channels):
    patch, width = 4, 12
    backbone = ViT(
        (8, 12, channels), patch, num_layers=2, num_heads=3, hidden_dim=width, mlp_dim=20
    )
    randomise(backbone)
    pixels = np.random.default_rng(1).normal(size=(2, 8, 12, channels)).astype("float32")

    kernel, bias = map(ops.convert_to_numpy, backbone.stem.weights)
    patches = pixels.reshape(2, 2, patch, 3, patch, channels).transpose(0, 1, 3, 2, 4, 5)
    tokens = patches.reshape(2, 6, -1) @ kernel.reshape(-1, width) + bias
    encoder = backbone.encoder
    tokens = tokens + ops.convert_to_numpy(encoder.position_embedding)
    for block in encoder.blocks:
        tokens = numpy_reference.transformer_block(tokens, by_path(block), num_heads=3)
    scale, offset = map(ops.convert_to_numpy, encoder.norm.weights)
    expected = numpy_reference.layer_norm(tokens, scale, offset, 1e-6).reshape(2, 2, 3, width)

    assert expected.std() > 0.1
    np.testing.assert_allclose(
        ops.convert_to_numpy(backbone(ops.array(pixels))), expected, rtol=1e-4, atol=1e-4
    )


def test_the_epsilon_of_a_block_is_its_own():
    block = TransformerBlock(num_heads=2, mlp_dim=8, epsilon=0.5)
    block.build((None, 3, 4))
    randomise(block)
    tokens = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    result = ops.convert_to_numpy(block(ops.array(tokens)))
    weights = by_path(block)
    expected = numpy_reference.transformer_block(tokens, weights, 2, epsilon=0.5)
    other = numpy_reference.transformer_block(tokens, weights, 2, epsilon=1e-6)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(result - other).max() > 1e-2


def test_positions_are_added_after_the_mask():
    """Two equal patch embeddings, as two mask tokens are, get different features."""
    encoder = TransformerEncoder(num_layers=1, num_heads=1, mlp_dim=8)
    encoder.build((None, 1, 2, 4))
    randomise(encoder)
    features = ops.convert_to_numpy(encoder(ops.ones((1, 1, 2, 4))))
    assert np.abs(features[0, 0, 0] - features[0, 0, 1]).max() > 1e-2


def test_the_width_of_the_perceptron_is_four_times_the_tokens_by_default():
    backbone = ViT((4, 4, 1), patch_size=4, num_layers=1, num_heads=1, hidden_dim=4)
    assert backbone.encoder.blocks[0].mlp_hidden.kernel.shape == (4, 16)
    assert backbone.get_config()["mlp_dim"] == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 0}, "patch_size must be a positive integer, got 0"),
        ({"num_layers": 1.5}, "num_layers must be a positive integer, got 1.5"),
        ({"num_heads": -1}, "num_heads must be a positive integer, got -1"),
        ({"hidden_dim": "8"}, "hidden_dim must be a positive integer, got '8'"),
        ({"mlp_dim": 0}, "mlp_dim must be a positive integer, got 0"),
        ({"patch_size": 5}, r"patch_size=5 must divide .* image_shape=\(8, 12, 3\)"),
        ({"patch_size": 8}, r"patch_size=8 must divide .* image_shape=\(8, 12, 3\)"),
        ({"num_heads": 3}, "num_heads=3 must divide hidden_dim=8"),
    ],
)
def test_sizes_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ViT((8, 12, 3), **{"patch_size": 4, "num_heads": 2, "hidden_dim": 8, **arguments})


def test_a_block_names_heads_that_do_not_divide_the_tokens():
    with pytest.raises(ValueError, match="num_heads=3 must divide the width of the tokens, 8"):
        TransformerBlock(num_heads=3, mlp_dim=8).build((None, 4, 8))
