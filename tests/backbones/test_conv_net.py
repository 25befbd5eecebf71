"""The article's CNN against NumPy's convolution."""

import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_simmim.backbones import ConvNet


@pytest.mark.parametrize(
    ("shape", "filters", "kernel_size", "strides"),
    [((6, 8, 3), (4,), 3, 1), ((6, 7, 1), (4, 2), 3, 2), ((5, 4, 5), (3,), 2, 1)],
)
def test_a_stack_of_convolutions_with_relu(shape, filters, kernel_size, strides):
    backbone = ConvNet(shape, filters, kernel_size, strides)
    generator = np.random.default_rng(0)
    backbone.set_weights([generator.normal(size=weight.shape) for weight in backbone.weights])
    pixels = generator.normal(size=(2, *shape)).astype("float32")
    expected = pixels
    for kernel, bias in zip(backbone.weights[::2], backbone.weights[1::2], strict=True):
        convolved = numpy_reference.convolution(
            expected, ops.convert_to_numpy(kernel), ops.convert_to_numpy(bias), strides
        )
        expected = np.maximum(convolved, 0)
    assert len(backbone.weights) == 2 * len(filters)
    result = ops.convert_to_numpy(backbone(ops.array(pixels)))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("filters", ()),
        ("filters", (4, 0)),
        ("filters", (4.0,)),
        ("kernel_size", 0),
        ("strides", -1),
        ("strides", 1.5),
    ],
)
def test_sizes_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} must hold positive integers") as error:
        ConvNet((8, 8, 3), **{name: value})
    assert repr(value) in str(error.value)
