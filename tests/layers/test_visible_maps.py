"""A coarse mask at the size of any map."""

import numpy as np
import pytest
from keras import ops

from keras_simmim.layers.visible_maps import keep_visible, mask_of_size


def mask(*rows):
    return ops.array(np.array(rows, "float32")[None, :, :, None])


def sized(visible, height, width):
    return ops.convert_to_numpy(mask_of_size(visible, height, width))[0, :, :, 0].tolist()


@pytest.mark.parametrize(
    ("row", "width", "expected"),
    [
        ([1, 0], 2, [1, 0]),
        ([1, 0], 4, [1, 1, 0, 0]),
        ([0, 1, 0, 0], 2, [1, 0]),
        ([0, 0, 1], 1, [1]),
        # Sizes that do not divide: the block at the center, or any that is covered.
        ([1, 0, 1], 5, [1, 1, 0, 1, 1]),
        ([0, 0, 1, 0, 0], 3, [0, 1, 0]),
        ([0, 1, 0, 0, 0], 3, [1, 1, 0]),
    ],
)
def test_sizes_along_one_axis(row, width, expected):
    assert sized(mask(row), 1, width) == [expected]
    column = ops.transpose(mask(row), (0, 2, 1, 3))
    assert sized(column, width, 1) == [[value] for value in expected]


def test_both_axes_at_once():
    assert sized(mask([0, 0, 1, 0], [0, 0, 0, 0]), 4, 2) == [[0, 1], [0, 1], [0, 0], [0, 0]]
    assert sized(mask([0, 0, 1, 0], [0, 0, 0, 0]), 1, 1) == [[1]]


def test_each_image_has_its_own_mask():
    visible = ops.concatenate([mask([1, 0]), mask([0, 1])])
    kept = ops.convert_to_numpy(keep_visible(ops.ones((2, 1, 4, 3), "float16"), visible))
    assert kept.dtype == "float16"
    assert kept[:, 0, :, 2].tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]
