"""Decoders: maps of several scales to scores of pixels."""

import numpy as np
import pytest
from keras import ops

from keras_simmim.heads import FCNDecoder, UNetDecoder
from keras_simmim.heads.unet_decoder import doublings

pytestmark = pytest.mark.fast_on("torch")


def random(*shapes):
    generator = np.random.default_rng(0)
    return [ops.array(generator.normal(size=shape).astype("float32")) for shape in shapes]


@pytest.mark.parametrize("decoder", [FCNDecoder(5, 4), UNetDecoder(5, 2, 8)])
@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 16, 24, 3), (2, 4, 6, 4), (2, 2, 3, 8)],
        [(2, 13, 18, 1), (2, 7, 9, 2), (2, 4, 5, 4), (2, 1, 2, 8)],
        [(2, 24, 24, 3), (2, 4, 4, 4)],
        [(2, 8, 8, 3), (2, 8, 8, 4), (2, 4, 4, 4)],
    ],
)
def test_every_pixel_is_scored_and_the_configuration_makes_the_same(decoder, shapes):
    decoder = type(decoder).from_config(decoder.get_config())
    inputs = random(*shapes)
    scores = decoder(inputs)
    assert tuple(scores.shape) == (2, *shapes[0][1:3], 5)
    copy = type(decoder).from_config(decoder.get_config())
    copy.build(shapes)
    copy.set_weights(decoder.get_weights())
    scores, again = map(ops.convert_to_numpy, (scores, copy(inputs)))
    np.testing.assert_allclose(scores, again, rtol=1e-5, atol=1e-5)
    assert np.isfinite(scores).all()
    assert scores.std(axis=(1, 2)).min() > 0


def test_the_sizes_on_the_way_up():
    assert doublings((2, 3), (16, 24)) == [(4, 6), (8, 12), (16, 24)]
    assert doublings((4, 5), (7, 9)) == [(7, 9)]
    assert doublings((4, 4), (24, 24)) == [(8, 8), (24, 24)]
    assert doublings((8, 8), (8, 8)) == []


def test_scores_of_scales_are_added():
    decoder = FCNDecoder(2, 1)
    images, fine, coarse = random((1, 2, 2, 1), (1, 2, 2, 1), (1, 1, 1, 1))
    decoder.build([images.shape, fine.shape, coarse.shape])
    middle = np.zeros((3, 3, 1, 1), "float32")
    middle[1, 1] = 1
    for layer in decoder.hidden:
        layer.set_weights([middle, np.full(1, 50.0)])
    for layer in decoder.scoring:
        layer.set_weights([np.ones((1, 1, 1, 2)), np.full(2, -50.0)])
    found = ops.convert_to_numpy(decoder([images, fine, coarse]))[..., 0]
    fine, coarse = (ops.convert_to_numpy(each)[..., 0] for each in (fine, coarse))
    np.testing.assert_allclose(found, fine + coarse, rtol=1e-4, atol=1e-4)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="num_classes must be an integer of at least 2, got 1"):
        FCNDecoder(1)
    with pytest.raises(ValueError, match="most_width must be at least width=16, got 8"):
        UNetDecoder(2, most_width=8)
