"""The reconstruction head: a linear layer, then torch's pixel shuffle."""

import numpy as np
import numpy_reference
import pytest
from keras import ops

from keras_simmim.heads import ReconstructionHead


@pytest.mark.parametrize("image_shape", [(8, 12, 3), (4, 12, 1), (8, 6, 5)])
def test_pixels_are_a_linear_layer_and_a_pixel_shuffle(image_shape):
    head = ReconstructionHead(image_shape)
    head.build((None, 2, 3, 6))
    generator = np.random.default_rng(0)
    head.set_weights([generator.normal(size=weight.shape) for weight in head.weights])
    features = generator.normal(size=(2, 2, 3, 6)).astype("float32")
    kernel, bias = map(ops.convert_to_numpy, head.weights)
    stride = (image_shape[0] // 2, image_shape[1] // 3)
    assert kernel.shape == (6, stride[0] * stride[1] * image_shape[2])
    expected = numpy_reference.pixel_shuffle(features @ kernel + bias, image_shape[2], stride)
    result = ops.convert_to_numpy(head(ops.array(features)))
    assert result.shape == (2, *image_shape)
    assert head.compute_output_shape((None, 2, 3, 6)) == (None, *image_shape)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_the_order_of_the_outputs_is_channel_row_column():
    head = ReconstructionHead((2, 2, 2))
    head.build((None, 1, 1, 1))
    head.set_weights([np.zeros((1, 8)), np.arange(8.0)])
    pixels = ops.convert_to_numpy(head(ops.ones((1, 1, 1, 1))))[0]
    assert pixels[..., 0].tolist() == [[0, 1], [2, 3]]
    assert pixels[..., 1].tolist() == [[4, 5], [6, 7]]


def test_an_unknown_image_shape_is_named():
    with pytest.raises(ValueError, match=r"image_shape must be .* got None"):
        ReconstructionHead().build((None, 2, 3, 6))


@pytest.mark.parametrize("input_shape", [(None, 3, 3, 6), (None, 2, 5, 6), (None, None, 3, 6)])
def test_features_that_do_not_divide_the_image_are_named(input_shape):
    with pytest.raises(ValueError, match=r"image_shape=\(8, 12, 3\)") as error:
        ReconstructionHead((8, 12, 3)).build(input_shape)
    assert f"input_shape={input_shape}" in str(error.value)
