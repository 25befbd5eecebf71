"""Layer normalisation beside NumPy's float64 and Keras' own layer, whichever form is taken."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.layers.layer_norm import LayerNorm


def layers(width, dtype):
    """Ours and Keras', with the same weights."""
    generator = np.random.default_rng(1)
    weights = [generator.normal(size=width) for _ in range(2)]
    both = LayerNorm(epsilon=1e-3, dtype=dtype), keras.layers.LayerNormalization(epsilon=1e-3)
    for layer in both:
        layer.build((None, width))
        layer.set_weights(weights)
    return *both, weights


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.02), ("mixed_float16", 4e-3)]
)
@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 4, 6)])
def test_it_is_that_of_the_equation(shape, dtype, tolerance):
    # Squares of these are no float16.
    inputs = 100 + 300 * np.random.default_rng(0).normal(size=shape)
    layer, _, (gamma, beta) = layers(shape[-1], dtype)
    centred = inputs - inputs.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
    found = layer(ops.convert_to_tensor(inputs.astype("float32")))
    assert keras.backend.standardize_dtype(found.dtype) == layer.compute_dtype
    found = ops.convert_to_numpy(ops.cast(found, "float32"))
    expected = centred / deviation * gamma + beta
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=4 * tolerance)


def test_its_weights_and_configuration_are_those_of_keras():
    ours, theirs, _ = layers(4, "float32")
    assert [weight.name for weight in ours.weights] == [weight.name for weight in theirs.weights]
    again = LayerNorm.from_config(ours.get_config())
    assert again.epsilon == 1e-3
    inputs = np.random.default_rng(2).normal(size=(3, 4)).astype("float32")
    np.testing.assert_allclose(
        *(ops.convert_to_numpy(layer(inputs)) for layer in (ours, theirs)), rtol=1e-5, atol=1e-6
    )
