"""Group normalization beside NumPy's float64 and Keras' own layer."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.layers.group_norm import GroupNorm


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("mixed_bfloat16", 0.02)])
def test_it_is_that_of_the_equation(dtype, tolerance):
    generator = np.random.default_rng(0)
    maps = (2 + 3 * generator.normal(size=(2, 4, 5, 6))).astype("float32")
    layer = GroupNorm(3, dtype=dtype)
    layer.build(maps.shape)
    gamma, beta = generator.normal(size=(2, 6))
    layer.set_weights([gamma, beta])
    grouped = maps.astype(float).reshape(2, 20, 3, 2)
    centered = grouped - grouped.mean((1, 3), keepdims=True)
    normal = centered / np.sqrt((centered**2).mean((1, 3), keepdims=True) + 1e-5)
    expected = normal.reshape(maps.shape) * gamma + beta
    found = layer(ops.convert_to_tensor(maps))
    assert keras.backend.standardize_dtype(found.dtype) == layer.compute_dtype
    found = ops.convert_to_numpy(ops.cast(found, "float32"))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=4 * tolerance)


def test_its_weights_and_configuration_are_those_of_keras():
    maps = np.random.default_rng(1).normal(size=(2, 3, 3, 8)).astype("float32")
    ours, theirs = GroupNorm(4), keras.layers.GroupNormalization(4, epsilon=1e-5)
    results = []
    for layer in (ours, theirs, GroupNorm.from_config(ours.get_config())):
        layer.build(maps.shape)
        assert [(each.name, each.shape) for each in layer.weights] == [
            ("gamma", (8,)),
            ("beta", (8,)),
        ]
        results.append(ops.convert_to_numpy(layer(maps)))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(results[0], results[2])


def test_one_position_of_one_image_is_normed():
    layer = GroupNorm(2)
    maps = ops.convert_to_tensor(np.float32([[[[1, 3, 5, 5]]]]))
    found = ops.convert_to_numpy(layer(maps))
    np.testing.assert_allclose(found, [[[[-1, 1, 0, 0]]]], atol=1e-4)
