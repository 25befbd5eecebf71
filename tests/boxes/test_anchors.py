"""Points and anchors lie where a loop puts them."""

import numpy as np
import pytest

from keras_simmim.boxes.anchors import anchors
from keras_simmim.boxes.points import points

pytestmark = pytest.mark.any_backend


def test_points_of_two_levels_and_an_image_that_strides_do_not_divide():
    centers, strides = points((20, 36), [8, 16])
    expected = [(x, y, 8) for y in (4, 12, 20) for x in (4, 12, 20, 28, 36)]
    expected += [(x, y, 16) for y in (8, 24) for x in (8, 24, 40)]
    assert centers.dtype == strides.dtype == "float32"
    assert np.column_stack([centers, strides]).tolist() == [list(row) for row in expected]


def test_anchors_in_the_order_of_a_loop():
    strides, scales, ratios = [4, 8], [2.0, 3.0], [0.5, 2.0, 1.0]
    expected = []
    for stride in strides:
        for row in range(16 // stride):
            for column in range(24 // stride):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                for scale in scales:
                    for ratio in ratios:
                        # w·h = (scale·stride)² and w / h = ratio.
                        height = scale * stride / ratio**0.5
                        width = height * ratio
                        expected.append(
                            [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
                        )
    result = anchors((16, 24), strides, scales, ratios)
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, expected, atol=1e-5)
