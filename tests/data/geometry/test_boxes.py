import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_simmim.data.geometry.boxes import DRAWS, central_box, random_box

pytestmark = pytest.mark.any_backend

SIDES = st.integers(1, 2000)


@settings(max_examples=60, deadline=None)
@given(
    height=SIDES,
    width=SIDES,
    draws=st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=DRAWS, max_size=DRAWS),
    low=st.floats(0.05, 1.0),
    ratio=st.floats(1.0, 3.0),
)
def test_random_box_is_inside(height, width, draws, low, ratio):
    box = random_box(
        tf.constant([height, width, 3]), tf.constant(draws), (low, 1.0), (1 / ratio, ratio)
    )
    top, left, box_height, box_width = box.numpy().tolist()
    assert top >= 0
    assert left >= 0
    assert box_height >= 1
    assert box_width >= 1
    assert top + box_height <= height
    assert left + box_width <= width


def test_random_box_keeps_to_scale_and_ratio():
    draws = np.random.default_rng(0).random((200, DRAWS), np.float32)
    shape = tf.constant([300, 400, 3])
    boxes = np.stack([random_box(shape, row, (0.2, 0.6), (0.5, 2.0)) for row in draws])
    areas = boxes[:, 2] * boxes[:, 3] / (300 * 400)
    ratios = np.log(boxes[:, 3] / boxes[:, 2])
    assert areas.min() > 0.19
    assert areas.max() < 0.61
    assert np.abs(ratios).max() < math.log(2.05)
    # Log-uniform: as many tall boxes as wide ones.
    assert abs(np.mean(ratios > 0) - 0.5) < 0.12


def test_random_box_of_a_strip_is_the_largest_that_fits():
    box = random_box(tf.constant([10, 1000]), tf.zeros(DRAWS), (0.67, 1.0), (3 / 4, 4 / 3))
    assert box.numpy().tolist() == [0, 0, 10, 13]


def test_central_box():
    assert central_box(tf.constant([40, 60, 3]), (16, 16)).numpy().tolist() == [0, 10, 40, 40]
    assert central_box(tf.constant([40, 60, 3]), (16, 32)).numpy().tolist() == [5, 0, 30, 60]
    assert central_box(tf.constant([1, 5, 3]), (300, 2)).numpy().tolist() == [0, 2, 1, 1]
