"""Regions are what a loop over bilinear samples makes of them."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.roi_align import roi_align

pytestmark = pytest.mark.fast_on("torch")


def bilinear(level, y, x):
    """A map at a point; whole numbers are centers of positions, the edges go on as they end."""
    y, x = np.clip(y, 0, level.shape[0] - 1), np.clip(x, 0, level.shape[1] - 1)
    top, left = min(int(y), level.shape[0] - 1), min(int(x), level.shape[1] - 1)
    bottom, right = min(top + 1, level.shape[0] - 1), min(left + 1, level.shape[1] - 1)
    dy, dx = y - top, x - left
    above = (1 - dx) * level[top, left] + dx * level[top, right]
    below = (1 - dx) * level[bottom, left] + dx * level[bottom, right]
    return (1 - dy) * above + dy * below


def reference(level, stride, box, size, sampling):
    left, top, right, bottom = np.float64(box) / stride
    result = np.zeros((size, size, level.shape[-1]))
    for row in range(size):
        for column in range(size):
            for i in range(sampling):
                for j in range(sampling):
                    y = top + (row + (i + 0.5) / sampling) * (bottom - top) / size - 0.5
                    x = left + (column + (j + 0.5) / sampling) * (right - left) / size - 0.5
                    result[row, column] += bilinear(level, y, x) / sampling**2
    return result


def regions_of(generator, height, width, *shape):
    sides = np.exp(generator.uniform(0, math.log(min(height, width)), (*shape, 2)))
    starts = generator.uniform(0, 1, (*shape, 2)) * ([width, height] - sides)
    return np.concatenate([starts, starts + sides], axis=-1).astype("float32")


def pooled(levels, strides, boxes, **arguments):
    return ops.convert_to_numpy(roi_align([*map(ops.array, levels)], strides, boxes, **arguments))


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31), st.sampled_from([(7, 2), (3, 1), (2, 3)]))
def test_one_level(seed, shape):
    size, sampling = shape
    generator = np.random.default_rng(seed)
    level = generator.normal(size=(2, 6, 9, 3)).astype("float32")
    boxes = regions_of(generator, 24, 36, 2, 4)
    result = pooled([level], [4], boxes, size=size, sampling=sampling)
    for image, row in np.ndindex(2, 4):
        expected = reference(level[image], 4, boxes[image, row], size, sampling)
        np.testing.assert_allclose(result[image, row], expected, atol=1e-5)


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31))
def test_each_region_is_read_from_the_level_of_its_size(seed):
    generator = np.random.default_rng(seed)
    strides = [8, 16, 32]
    shapes = [(64, 40), (32, 20), (16, 10)]
    levels = [generator.normal(size=(2, *shape, 2)).astype("float32") for shape in shapes]
    boxes = regions_of(generator, 512, 320, 2, 6)
    result = pooled(levels, strides, boxes, size=2)
    for image, row in np.ndindex(2, 6):
        left, top, right, bottom = np.float64(boxes[image, row])
        number = math.floor(4 + math.log2(math.sqrt((right - left) * (bottom - top)) / 224))
        chosen = min(max(number, 3), 5) - 3
        expected = reference(levels[chosen][image], strides[chosen], boxes[image, row], 2, 2)
        np.testing.assert_allclose(result[image, row], expected, atol=1e-5)


def test_a_side_of_224_pixels_is_the_first_of_its_level():
    levels = [np.full((1, 32, 32, 1), 3.0), np.full((1, 16, 16, 1), 4.0)]
    boxes = np.array([[[0, 0, 223.9, 224], [0, 0, 224, 224], [0, 0, 112, 448]]], "float32")
    assert pooled(levels, [8, 16], boxes, size=1).ravel().tolist() == [3, 4, 4]


def test_half_precision_comes_back_and_is_computed_in_float32():
    level = ops.ones((1, 4, 4, 8), dtype="bfloat16")
    result = roi_align([level], [4], np.array([[[1, 1, 9, 9]]], "float32"))
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"


@pytest.mark.parametrize("box", [[np.nan] * 4, [-90, -90, 900, 900], [5, 5, 5, 5]])
def test_no_box_leads_out_of_the_map(box):
    level = np.ones((1, 4, 4, 1), "float32")
    result = pooled([level], [4], np.array([[box, [0, 0, 8, 8]]], "float32"), size=2)
    assert (result[0, 1] == 1).all()
    assert np.isnan(result[0, 0]).all() if np.isnan(box[0]) else (result[0, 0] == 1).all()
