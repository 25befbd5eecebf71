"""Overlaps are what plain Python and Keras' own functions make of the same boxes."""

import box_reference
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.areas import areas
from keras_simmim.boxes.iou import coverage, iou

pytestmark = pytest.mark.fast_on("torch")


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31))
def test_overlaps_of_random_boxes(seed):
    generator = np.random.default_rng(seed)
    boxes = box_reference.random_boxes(generator, 2, 5)
    others = box_reference.random_boxes(generator, 2, 3)
    for function in (iou, coverage):
        result = ops.convert_to_numpy(function(ops.array(boxes), ops.array(others)))
        reference = getattr(box_reference, function.__name__)
        expected = [
            box_reference.pairwise(reference, *pair) for pair in zip(boxes, others, strict=True)
        ]
        np.testing.assert_allclose(result, expected, atol=1e-5)
    keras_iou = keras.utils.bounding_boxes.compute_iou(ops.array(boxes), ops.array(others), "xyxy")
    np.testing.assert_allclose(
        ops.convert_to_numpy(iou(boxes, others)), ops.convert_to_numpy(keras_iou), atol=1e-5
    )


def test_anchors_without_a_batch_meet_boxes_with_one():
    generator = np.random.default_rng(0)
    anchors = box_reference.random_boxes(generator, 4)
    boxes = box_reference.random_boxes(generator, 2, 3)
    for function in (iou, coverage):
        both = np.stack([anchors, anchors])
        np.testing.assert_array_equal(
            ops.convert_to_numpy(function(anchors, boxes)),
            ops.convert_to_numpy(function(both, boxes)),
        )
        np.testing.assert_array_equal(
            ops.convert_to_numpy(function(anchors, boxes[1])),
            ops.convert_to_numpy(function(both, boxes))[1],
        )


@pytest.mark.parametrize("function", [iou, coverage])
def test_boxes_without_area_overlap_nothing(function):
    boxes = np.array([[2, 2, 2, 2], [2, 2, 2, 5], [4, 4, 1, 1], [0, 0, 8, 8]], "float32")
    result = ops.convert_to_numpy(function(boxes, boxes))
    assert result.tolist() == np.diag([0, 0, 0, 1]).tolist()
    assert ops.convert_to_numpy(areas(ops.array(boxes))).tolist() == [0, 0, 0, 64]


def test_half_precision_is_left_at_once():
    boxes = np.array([[0, 0, 1000, 1000]], "float16")
    result = iou(ops.array(boxes), ops.array(boxes))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert ops.convert_to_numpy(result).tolist() == [[1]]
