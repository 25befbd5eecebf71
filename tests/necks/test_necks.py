"""Pyramids over a backbone's maps."""

import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import Swin, ViT
from keras_simmim.necks import FeaturePyramid, NormedMaps, SimplePyramid
from keras_simmim.necks.feature_pyramid import enlarged
from keras_simmim.necks.neck import map_shapes

pytestmark = pytest.mark.fast_on("torch")


def maps(*shapes):
    generator = np.random.default_rng(0)
    return [ops.array(generator.normal(size=shape).astype("float32")) for shape in shapes]


@pytest.mark.parametrize(
    ("neck", "shapes", "strides", "steps"),
    [
        (NormedMaps(), [(2, 6, 10, 4), (2, 3, 5, 8)], [4, 8], [4, 8]),
        (SimplePyramid(8), [(2, 3, 5, 4)], [16], [8, 16, 32, 64]),
        (SimplePyramid(8, finest=2, levels=3), [(2, 3, 5, 4)], [16], [4, 8, 16]),
        (SimplePyramid(8, finest=0, levels=2), [(2, 5, 3, 4)], [1], [1, 2]),
        (FeaturePyramid(8, extra=2), [(2, 7, 10, 4), (2, 4, 5, 8)], [4, 8], [4, 8, 16, 32]),
    ],
)
def test_the_shapes_are_those_that_were_said(neck, shapes, strides, steps):
    inputs = maps(*shapes)
    results = neck(inputs)
    assert [tuple(each.shape) for each in results] == neck.compute_output_shape(shapes)
    assert neck.strides_of(strides) == steps
    copy = type(neck).from_config(neck.get_config())
    copy(inputs)
    copy.set_weights(neck.get_weights())
    for one, other in zip(results, copy(inputs), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(one), ops.convert_to_numpy(other))


def test_a_feature_pyramid_adds_the_coarse_to_the_fine():
    neck = FeaturePyramid(1)
    fine, coarse = maps((1, 4, 4, 1), (1, 2, 2, 1))
    neck.build([fine.shape, coarse.shape])
    delta = np.zeros((3, 3, 1, 1), "float32")
    delta[1, 1] = 1
    for layer in neck.lateral:
        layer.set_weights([np.full((1, 1, 1, 1), 2, "float32"), np.zeros(1)])
    for layer in neck.smooth:
        layer.set_weights([delta, np.zeros(1)])
    found = ops.convert_to_numpy(neck([fine, coarse])[0])
    fine, coarse = map(ops.convert_to_numpy, (fine, coarse))
    expected = 2 * (fine + coarse.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_enlarging_to_an_odd_size():
    found = ops.convert_to_numpy(enlarged(ops.array([[[[1.0], [2.0]]]]), (1, 3)))
    assert found[0, 0, :, 0].tolist() == [1, 1, 2]


def test_the_shapes_of_a_backbones_maps():
    sizes = {"hidden_dim": 4, "depths": (1, 1), "num_heads": (1, 1), "window_size": 4}
    swin = Swin((32, 48, 3), **sizes)
    assert map_shapes(swin) == [(None, 8, 12, 4), (None, 4, 6, 8)]
    assert map_shapes(ViT((32, 48, 3), 8, 1, 1, 4)) == [(None, 4, 6, 4)]


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="finest must be an integer from 0 to 2, got 3"):
        SimplePyramid(8, finest=3)
    with pytest.raises(ValueError, match="extra must be an integer from 0 to 4, got 9"):
        FeaturePyramid(8, extra=9)
    with pytest.raises(ValueError, match="maps must be one, got 2"):
        SimplePyramid(8).build([(None, 2, 2, 4), (None, 1, 1, 4)])
