"""A doubling beside Keras' transposed convolution with the same weights."""

import keras
import numpy as np
from keras import ops

from keras_simmim.layers.doubling import Doubling


def test_it_is_a_transposed_convolution():
    generator = np.random.default_rng(0)
    maps = generator.normal(size=(2, 3, 4, 5)).astype("float32")
    weights = generator.normal(size=(2, 2, 6, 5)), generator.normal(size=6)
    ours = Doubling(6, name="up")
    results = []
    again = Doubling.from_config(ours.get_config())
    for layer in (ours, again, keras.layers.Conv2DTranspose(6, 2, 2)):
        layer.build((None, 3, 4, 5))
        assert [each.name for each in layer.weights] == ["kernel", "bias"]
        layer.set_weights(weights)
        results.append(ops.convert_to_numpy(layer(maps)))
    assert again.name == "up"
    assert list(results[0].shape) == list(ours.compute_output_shape(maps.shape))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_allclose(results[0], results[2], rtol=1e-5, atol=1e-5)
