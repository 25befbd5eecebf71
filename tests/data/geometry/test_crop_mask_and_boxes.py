"""A crop does the same to an image, its mask and its boxes: rendered, cropped, found again."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_simmim import data
from keras_simmim.data.geometry.apply_crop import apply_crop
from keras_simmim.data.geometry.boxes import cut
from keras_simmim.data.geometry.crop_boxes import crop_boxes
from keras_simmim.data.geometry.crop_mask import crop_mask
from keras_simmim.data.geometry.draw_crop import DrawnCrop, draw_crop

pytestmark = pytest.mark.any_backend

# Of a rectangle of 255 on 0, resized bilinearly or by averages, half is reached on its border.
HALF = 127.5
MASK = np.arange(12, dtype=np.uint8).reshape(3, 4)


def drawn_as(box, size, mirrored=False):
    return DrawnCrop(tf.constant(box), size, mirrored)


def rendered(box, shape):
    left, top, right, bottom = box
    pixels = np.zeros((*shape, 1), np.uint8)
    pixels[top:bottom, left:right] = 255
    return pixels


def found(pixels):
    """The box of what is white."""
    rows, columns = np.nonzero(pixels > HALF)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(30, 90), st.integers(30, 90)),
    size=st.tuples(st.integers(24, 120), st.integers(24, 120)),
    corner=st.tuples(st.floats(0, 0.6), st.floats(0, 0.6)),
)
def test_a_box_and_a_mask_stay_on_their_object(seed, shape, size, corner):
    height, width = shape
    top, left = int(corner[0] * height), int(corner[1] * width)
    box = [left, top, left + width // 3, top + height // 3]
    image = rendered(box, shape)
    crop = data.RandomCrop(size, scale=(0.3, 1.0))
    drawn = draw_crop(crop, tf.constant(shape), tf.constant([seed, 0], tf.int64))
    pixels = apply_crop(drawn, cut(tf.constant(image), drawn.box)).numpy()[..., 0]
    mask = crop_mask(drawn, tf.constant(image[..., 0])).numpy()
    boxes, labels = crop_boxes(
        drawn, tf.constant([box], tf.float32), tf.constant([4]), min_visible=0.0
    )
    crop_top, crop_left, crop_height, crop_width = drawn.box.numpy()
    is_outside = (
        box[0] >= crop_left + crop_width
        or box[1] >= crop_top + crop_height
        or box[2] <= crop_left
        or box[3] <= crop_top
    )
    assert labels.numpy().tolist() == [-1 if is_outside else 4]
    boxes = boxes.numpy()[0]
    assert set(np.unique(mask)) <= {0, 255}
    if is_outside:
        assert boxes.tolist() == [0, 0, 0, 0]
        assert not mask.any()
        return
    # Whole pixels whose centers lie in the box.
    left, top, right, bottom = np.ceil(boxes - 0.5 - 1e-3).astype(int)
    expected = np.zeros(size, bool)
    expected[top:bottom, left:right] = True
    differs = (mask > 0) != expected
    # A center within a thousandth of the border may fall on either side.
    assert not differs.any() or np.abs(boxes % 1 - 0.5).min() < 2e-3
    # The image says the same, but within a pixel of its edges, where it is a mixture.
    assert (pixels > HALF).any() == (mask > 0).any() or min(boxes[2:] - boxes[:2]) < 1.5
    if (pixels > HALF).any() and min(boxes[2:] - boxes[:2]) >= 1.5:
        np.testing.assert_allclose(found(pixels), boxes, atol=1.0)
        rows, columns = np.ogrid[: size[0], : size[1]]
        near = np.zeros(size, bool)
        for edge in (boxes[0], boxes[2]):
            near |= np.abs(columns + 0.5 - edge) <= 1
        for edge in (boxes[1], boxes[3]):
            near |= np.abs(rows + 0.5 - edge) <= 1
        np.testing.assert_array_equal((pixels > HALF)[~near], (mask > 0)[~near])


def test_a_mask_is_cut_mirrored_and_never_mixed():
    mask = tf.constant(MASK)
    whole = crop_mask(drawn_as([0, 0, 3, 4], (3, 4)), mask).numpy()
    np.testing.assert_array_equal(whole, MASK)
    part = crop_mask(drawn_as([1, 1, 2, 2], (2, 2), tf.constant(True)), mask).numpy()
    assert part.tolist() == [[6, 5], [10, 9]]
    double = crop_mask(drawn_as([0, 0, 3, 4], (6, 8)), mask).numpy()
    np.testing.assert_array_equal(double, MASK.repeat(2, 0).repeat(2, 1))
    # Centers 2/3, 2, 10/3 of 4 columns, and 3/2 of 3 rows.
    assert crop_mask(drawn_as([0, 0, 3, 4], (1, 3)), mask).numpy().tolist() == [[4, 6, 7]]


def test_outside_of_a_mask_is_255():
    cropped = crop_mask(drawn_as([-1, 2, 3, 4], (3, 4)), tf.constant(MASK)).numpy()
    assert cropped.tolist() == [[255] * 4, [2, 3, 255, 255], [6, 7, 255, 255]]


def test_boxes_are_moved_scaled_mirrored_and_clipped():
    boxes = tf.constant(
        [[10, 10, 20, 30], [0, 0, 12, 12], [30, 0, 50, 40], [0, 0, 0, 0]], tf.float32
    )
    labels = tf.constant([0, 1, 2, -1])
    # The right half of 40×60 and a bit more, doubled across.
    box, size = [0, 10, 40, 40], (40, 80)
    moved, kept = crop_boxes(drawn_as(box, size), boxes, labels, 0.1)
    assert moved.numpy().tolist() == [[0, 10, 20, 30], [0, 0, 4, 12], [40, 0, 80, 40], [0] * 4]
    assert kept.numpy().tolist() == [0, 1, 2, -1]
    moved, kept = crop_boxes(drawn_as(box, size, tf.constant(True)), boxes, labels)
    # Of the second no more than 2 of 12 columns are left.
    assert moved.numpy().tolist() == [[60, 10, 80, 30], [0] * 4, [0, 0, 40, 40], [0] * 4]
    assert kept.numpy().tolist() == [0, -1, 2, -1]


@pytest.mark.parametrize(("min_visible", "label"), [(0.25, 5), (0.26, -1), (0.0, 5)])
def test_the_visible_share_is_one_of_area(min_visible, label):
    boxes = tf.constant([[0, 0, 10, 10]], tf.float32)
    _, labels = crop_boxes(drawn_as([5, 5, 20, 20], (20, 20)), boxes, tf.constant([5]), min_visible)
    assert labels.numpy().tolist() == [label]


def test_what_is_ignored_stays_as_long_as_anything_of_it_is_visible():
    boxes = tf.constant([[0, 0, 100, 100], [0, 0, 5, 100]], tf.float32)
    moved, labels = crop_boxes(drawn_as([0, 5, 10, 10], (10, 10)), boxes, tf.constant([-2, -2]))
    assert labels.numpy().tolist() == [-2, -1]
    assert moved.numpy().tolist() == [[0, 0, 10, 10], [0, 0, 0, 0]]


def test_the_whole_image_is_squeezed(textured_images):
    drawn = draw_crop(data.WholeImage((8, 40)), tf.constant([24, 32, 3]))
    assert drawn.box.numpy().tolist() == [0, 0, 24, 32]
    assert (drawn.size, drawn.mirrored) == ((8, 40), False)
    options = {"batch_size": 10, "training": False}
    same = data.from_arrays(textured_images, crop=data.WholeImage((24, 32)), **options)
    np.testing.assert_array_equal(next(iter(same)), textured_images)
    with pytest.raises(TypeError, match="size must be an integer or a pair"):
        data.WholeImage("8")
