"""Initial weights as in the official code."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import Swin, ViT
from keras_simmim.layers.initialization import TruncatedNormal


def numbers(weight):
    return ops.convert_to_numpy(weight)


# The standard deviation of a normal distribution cut off at one: 1 − 2·φ(1) / (Φ(1) − Φ(−1)).
CUT = math.sqrt(1 - 2 * math.exp(-0.5) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(0.5)))


def test_the_official_vit():
    backbone = ViT(
        (32, 32, 3),
        16,
        num_layers=3,
        num_heads=2,
        hidden_dim=64,
        relative_position_bias="shared",
        layer_scale=0.1,
        official_initialization=True,
    )
    kernels = {"stem": (backbone.stem.kernel, 1.0)}
    for depth, block in enumerate(backbone.encoder.blocks, start=1):
        kernels[f"{depth} qkv"] = (block.query_key_value.kernel, 1.0)
        kernels[f"{depth} hidden"] = (block.mlp_hidden.kernel, 1.0)
        scale = 1 / math.sqrt(2 * depth)
        kernels[f"{depth} projection"] = (block.attention_output.kernel, scale)
        kernels[f"{depth} output"] = (block.mlp_output.kernel, scale)
        np.testing.assert_allclose(numbers(block.attention_scale), 0.1, rtol=1e-6)
        np.testing.assert_allclose(numbers(block.mlp_scale), 0.1, rtol=1e-6)
        assert not numbers(block.mlp_output.bias).any()
    for name, (kernel, scale) in kernels.items():
        values = numbers(kernel)
        assert np.abs(values).max() <= 0.02 * scale * (1 + 1e-6), name
        assert values.std() == pytest.approx(0.02 * scale * CUT, rel=0.04), name
    assert len({numbers(kernel).std() for kernel, _ in kernels.values()}) == len(kernels)
    table = backbone.encoder.relative_position_biases[0].relative_position_bias_table
    assert not numbers(table).any()


def test_the_official_swin():
    backbone = Swin((32, 32, 3), 4, 32, (1, 1), (2, 2), window_size=4)
    convolution = backbone.stem.layers[0]
    limit = 1 / math.sqrt(4 * 4 * 3)
    for weight in (convolution.kernel, convolution.bias):
        assert 0.8 * limit < np.abs(numbers(weight)).max() <= limit
    assert numbers(convolution.kernel).std() == pytest.approx(limit / math.sqrt(3), rel=0.05)
    block = backbone.encoder.stages[1][0]
    merge = backbone.encoder.merges[0]
    for layer in (block.query_key_value, block.mlp_output, merge.reduction):
        assert numbers(layer.kernel).std() == pytest.approx(0.02, rel=0.04)
        assert np.abs(numbers(layer.kernel)).max() > 0.05, "not cut off at two"
    table = numbers(block.relative_position_bias.relative_position_bias_table)
    assert 0.012 < table.std() < 0.025


def test_draws_are_those_of_the_seed_on_every_backend():
    initializer = TruncatedNormal(0.5, cutoff=1, seed=3)
    drawn = np.random.default_rng(3).standard_normal(6, dtype="float32")
    values = numbers(initializer((2, 3)))
    kept = np.abs(drawn) <= 1
    assert kept.any()
    assert not kept.all()
    np.testing.assert_allclose(values.ravel()[kept], 0.5 * drawn[kept], rtol=1e-6)
    assert np.abs(values).max() <= 0.5
    np.testing.assert_array_equal(values, numbers(initializer((2, 3))))
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    np.testing.assert_array_equal(values, numbers(again((2, 3))))
    assert numbers(TruncatedNormal(seed=3)((2,), "float16")).dtype == "float16"
    assert not np.array_equal(numbers(TruncatedNormal()((4,))), numbers(TruncatedNormal()((4,))))


@pytest.mark.parametrize("cutoff", [0, -1, float("nan")])
def test_no_normal_distribution_is_left(cutoff):
    with pytest.raises(ValueError, match="cutoff must be above 0"):
        TruncatedNormal(cutoff=cutoff)
