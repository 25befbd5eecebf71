"""A box of a large JPEG is decoded smaller where a crop asks for so few pixels."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.encoded_image import EncodedImage

pytestmark = pytest.mark.any_backend
HEIGHT, WIDTH = 1203, 1597


def encoded(turn=1):
    """A smooth photograph of so many pixels, as no side divides by 8."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    waves = [np.sin(row / 90 + phase) * np.cos(column / 70 - phase) for phase in range(3)]
    pixels = (np.stack(waves, -1) * 100 + 128).astype("uint8")
    exif = Image.Exif()
    exif[0x0112] = turn
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    return file.getvalue()


CONTENTS = encoded()


def resized(part, size):
    return tf.image.resize(part, size, method="area").numpy()


@pytest.mark.parametrize(
    ("size", "divisor"), [((140, 100), 8), ((151, 100), 4), ((500, 20), 2), ((602, 100), 1)]
)
def test_by_as_much_as_leaves_the_pixels_that_are_wanted(size, divisor):
    image = EncodedImage.open(tf.constant(CONTENTS), 3)
    part = image.part(whole_box(image.shape), size)
    sides = [(side + divisor // 2) // divisor for side in (HEIGHT, WIDTH)]
    assert part.shape == (*sides, 3)


@pytest.mark.parametrize("turn", [1, 6])
def test_the_same_picture(turn):
    image = EncodedImage.open(tf.constant(encoded(turn)), 3)
    sides = (1203, 1303) if turn < 5 else (1303, 1203)
    box = tf.constant([0, 111, *sides] if turn < 5 else [111, 0, *sides])
    few = image.part(box, (64, 96))
    assert max(few.shape[:2]) < 170
    error = resized(few, (64, 96)) - resized(image.part(box), (64, 96))
    # An edge is at most 4 pixels from where it was, of a wave's 440.
    assert np.abs(error).mean() < 3


def test_small_boxes_are_decoded_pixel_by_pixel():
    image = EncodedImage.open(tf.constant(CONTENTS), 3)
    box = tf.constant([3, 5, 1000, 1000])
    np.testing.assert_array_equal(image.part(box, (16, 16)), image.part(box))


@pytest.mark.long
@settings(max_examples=60)
@given(st.data())
def test_any_box_has_the_pixels_that_are_wanted_and_none_beyond_the_image(data):
    height = data.draw(st.integers(800, HEIGHT))
    width = data.draw(st.integers(-(-(2**20) // height), WIDTH))
    top = data.draw(st.integers(0, HEIGHT - height))
    left = data.draw(st.integers(0, WIDTH - width))
    size = data.draw(st.tuples(st.integers(1, 400), st.integers(1, 400)))
    image = EncodedImage.open(tf.constant(CONTENTS), 3)
    part = image.part(tf.constant([top, left, height, width]), size).numpy()
    least = max(size)
    divisor = max([1, *(each for each in (2, 4, 8) if min(height, width) // least >= each)])
    for found, side in zip(part.shape, (height, width), strict=False):
        assert abs(side / divisor - found) < 1
        assert found >= least - 1
