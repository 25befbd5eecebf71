"""Complete IoU has the paper's values, and gradients that train."""

import math

import box_reference
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.ciou import ciou

pytestmark = pytest.mark.fast_on("torch")


def gradient(function, values):
    """The gradient of a function's sum."""
    match keras.backend.backend():
        case "torch":
            values = ops.array(values).requires_grad_(True)
            ops.sum(function(values)).backward()
            return values.grad.cpu().numpy()
        case "tensorflow":
            import tensorflow as tf

            values = tf.constant(values)
            with tf.GradientTape() as tape:
                tape.watch(values)
                total = ops.sum(function(values))
            return tape.gradient(total, values).numpy()
        case "jax":
            import jax

            return np.array(jax.jit(jax.grad(lambda x: ops.sum(function(x))))(ops.array(values)))


def parts(box, other):
    """IoU − d²/c², v and α, by equations 8–11 of the paper."""
    box, other = np.float64(box), np.float64(other)
    overlap = box_reference.iou(box, other)
    outer = np.concatenate([np.minimum(box, other)[:2], np.maximum(box, other)[2:]])
    diagonal = (outer[2] - outer[0]) ** 2 + (outer[3] - outer[1]) ** 2
    between = (box[:2] + box[2:] - other[:2] - other[2:]) / 2
    ratios = [(b[2] - b[0]) / (b[3] - b[1]) for b in (box, other)]
    proportion = 4 / math.pi**2 * (math.atan(ratios[1]) - math.atan(ratios[0])) ** 2
    weight = proportion / (1 - overlap + proportion) if proportion else 0
    return overlap - (between**2).sum() / diagonal, proportion, weight


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31))
def test_values_and_gradients_of_random_boxes(seed):
    generator = np.random.default_rng(seed)
    boxes, others = box_reference.random_boxes(generator, 2, 3, 2).astype("float32")
    result = ops.convert_to_numpy(ciou(boxes, others))
    expected, slopes = np.zeros(boxes.shape[:-1]), np.zeros(boxes.shape)
    for place in np.ndindex(*boxes.shape[:-1]):
        distance, proportion, weight = parts(boxes[place], others[place])
        expected[place] = distance - weight * proportion
        for side in range(4):
            step = 1e-5 * np.eye(4)[side]
            # α is a constant to the gradient.
            low, high = (
                np.dot(parts(boxes[place] + move, others[place])[:2], [1, -weight])
                for move in (-step, step)
            )
            slopes[place][side] = (high - low) / 2e-5
    np.testing.assert_allclose(result, expected, atol=1e-5)
    by_keras = keras.utils.bounding_boxes.compute_ciou(ops.array(boxes), ops.array(others), "xyxy")
    np.testing.assert_allclose(result, ops.convert_to_numpy(by_keras), atol=1e-5)
    found = gradient(lambda x: ciou(x, ops.array(others)), boxes)
    np.testing.assert_allclose(found, slopes, atol=1e-4)


def test_boxes_without_area_have_bounded_gradients():
    boxes = [[3, 3, 3, 3], [3, 1, 3, 9], [1, 3, 9, 3], [5, 5, 2, 1]]
    others = [[3, 3, 3, 3], [3, 1, 3, 9], [0, 0, 8, 8], [90, 90, 90, 95]]
    boxes = np.array(boxes, "float32").repeat(4, axis=0)
    others = np.tile(np.array(others, "float32"), (4, 1))
    value = ops.convert_to_numpy(ciou(boxes, others))
    slope = gradient(lambda x: ciou(x, ops.array(others)), boxes)
    # IoU, d²/c² and v are at most 1 each.
    assert (np.abs(value) <= 2).all()
    assert (np.abs(slope) < 1000).all()


def test_a_box_is_like_itself():
    box = ops.array([[1.0, 2.0, 5.0, 9.0]])
    assert ops.convert_to_numpy(ciou(box, box)).tolist() == pytest.approx([1])
