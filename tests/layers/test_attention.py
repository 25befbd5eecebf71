"""Attention and GELU beside NumPy's float64, whichever form the backend takes."""

import math

import numpy as np
import pytest
from keras import ops

from keras_simmim.layers.attention import attention, gelu


def by_numpy(query, key, value, bias=0.0):
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1]) + bias
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ value


@pytest.mark.parametrize("has_bias", [False, True])
def test_attention_is_that_of_the_equation(has_bias):
    generator = np.random.default_rng(0)
    query, key, value = generator.normal(size=(3, 2, 4, 7, 5))
    bias = 3 * generator.normal(size=(1, 4, 7, 7)) if has_bias else 0.0
    tensors = [ops.convert_to_tensor(x.astype("float32")) for x in (query, key, value)]
    given = ops.convert_to_tensor(bias.astype("float32")) if has_bias else None
    attended = ops.convert_to_numpy(attention(*tensors, bias=given))
    np.testing.assert_allclose(attended, by_numpy(query, key, value, bias), rtol=1e-5, atol=1e-5)


def test_large_scores_do_not_overflow():
    query = np.full((1, 1, 2, 1), 300.0)
    key = np.array([-1.0, 1.0]).reshape(1, 1, 2, 1)
    tensors = [ops.convert_to_tensor(x.astype("float32")) for x in (query, key, key)]
    np.testing.assert_array_equal(ops.convert_to_numpy(attention(*tensors)), np.ones((1, 1, 2, 1)))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 0.02)])
def test_gelu_is_exact(dtype, tolerance):
    inputs = np.linspace(-6, 6, 49)
    expected = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in inputs]
    found = gelu(ops.cast(ops.convert_to_tensor(inputs.astype("float32")), dtype))
    found = ops.convert_to_numpy(ops.cast(found, "float32"))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
