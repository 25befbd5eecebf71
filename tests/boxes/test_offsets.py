"""Offsets are the paper's, and lead back to the box."""

import math

import box_reference
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.clip import clip
from keras_simmim.boxes.offsets import VARIANCES, decode_offsets, encode_offsets

pytestmark = pytest.mark.fast_on("torch")


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31))
def test_offsets_of_random_boxes(seed):
    generator = np.random.default_rng(seed)
    anchors = box_reference.random_boxes(generator, 5)
    boxes = box_reference.random_boxes(generator, 2, 5)
    expected = np.zeros(boxes.shape)
    for image, row in np.ndindex(2, 5):
        left, top, right, bottom = boxes[image, row].tolist()
        a, b, c, d = anchors[row].tolist()
        offsets = [
            ((left + right) / 2 - (a + c) / 2) / (c - a),
            ((top + bottom) / 2 - (b + d) / 2) / (d - b),
            math.log((right - left) / (c - a)),
            math.log((bottom - top) / (d - b)),
        ]
        expected[image, row] = np.divide(offsets, VARIANCES)
    result = encode_offsets(boxes, anchors)
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-4, atol=1e-4)
    back = ops.convert_to_numpy(decode_offsets(result, anchors))
    np.testing.assert_allclose(back, boxes, atol=1e-4)
    functions = keras.utils.bounding_boxes
    by_keras = functions.encode_box_to_deltas(
        ops.array(anchors), ops.array(boxes), "xyxy", "xyxy", "center_xywh", VARIANCES
    )
    np.testing.assert_allclose(ops.convert_to_numpy(by_keras), expected, rtol=1e-4, atol=1e-4)
    # Proposals are anchors of each image.
    both = np.stack([anchors, anchors])
    again = ops.convert_to_numpy(encode_offsets(boxes, both))
    np.testing.assert_allclose(again, ops.convert_to_numpy(result), rtol=1e-4, atol=1e-4)


def test_sides_grow_at_most_as_in_torchvision():
    anchor = np.array([[0, 0, 10, 20]], "float32")
    offsets = np.array([[0, 0, 1e4, math.log(2)]], "float32")
    box = ops.convert_to_numpy(decode_offsets(offsets, anchor, (1, 1, 1, 1)))
    np.testing.assert_allclose(box, [[5 - 312.5, -10, 5 + 312.5, 30]], rtol=1e-5)


def test_boxes_without_area_have_finite_offsets():
    boxes = np.array([[3, 3, 3, 3], [5, 5, 2, 1]], "float32")
    assert np.isfinite(ops.convert_to_numpy(encode_offsets(boxes, boxes))).all()


def test_boxes_end_where_the_image_does():
    boxes = np.array([[[-3, 2, 9, 40], [-9, -9, -2, -1], [20, 3, 30, 4]]], "float32")
    expected = [[[0, 2, 8, 10], [0, 0, 0, 0], [8, 3, 8, 4]]]
    assert ops.convert_to_numpy(clip(boxes, (10, 8))).tolist() == expected
