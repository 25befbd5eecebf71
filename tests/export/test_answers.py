"""What a server makes of a network's outputs, by hand: files of classes, names, boxes."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_simmim.export.answers import answer

pytestmark = pytest.mark.any_backend

SIZES = tf.constant([[40, 90], [10, 15]])


def answered(wanted, outputs, class_names=("no", "yes")):
    """The arrays of a signature, of images that are 20 high and 30 wide."""
    outputs = {name: tf.constant(value) for name, value in outputs.items()}
    found = answer(wanted, outputs, SIZES, (20, 30), list(class_names))
    assert list(found) == list(wanted)
    return {name: value.numpy() for name, value in found.items()}


def opened(contents):
    """The mode and the pixels of a file."""
    image = Image.open(io.BytesIO(contents))
    return image.format, image.mode, np.array(image)


def test_the_most_probable_class_of_every_pixel_is_a_gray_file():
    classes = np.random.default_rng(0).integers(0, 3, (2, 5, 7))
    probabilities = 0.2 + 0.4 * np.eye(3, dtype="float32")[classes]
    found = answered(["class_map_bytes"], {"probabilities": probabilities})["class_map_bytes"]
    for contents, expected in zip(found, classes, strict=True):
        kind, mode, pixels = opened(contents)
        assert (kind, mode) == ("PNG", "L")
        np.testing.assert_array_equal(pixels, expected)


def test_more_classes_than_a_byte_holds_are_not_cut_off():
    probabilities = np.zeros((2, 1, 2, 300), "float32")
    probabilities[:, 0, 0, 299] = probabilities[:, 0, 1, 256] = 1.0
    found = answered(["class_map_bytes"], {"probabilities": probabilities})["class_map_bytes"]
    assert opened(found[0])[2].tolist() == [[299, 256]]


def test_every_column_and_every_label_has_its_name():
    labels = np.array([[1, 0, -1], [-1, -1, -1]], "int32")
    found = answered(["labels", "names", "classes"], {"labels": labels})
    np.testing.assert_array_equal(found["labels"], labels)
    assert found["names"].tolist() == [[b"yes", b"no", b""], [b""] * 3]
    assert found["classes"].tolist() == [[b"no", b"yes"]] * 2


def test_boxes_come_in_pixels_of_the_image_that_was_sent():
    boxes = np.array([[[3, 2, 30, 20]], [[0, 0, 0, 0]]], "float32")
    found = answered(["boxes", "size"], {"boxes": boxes})
    # Twice as high and three times as wide; no box stays none.
    assert found["boxes"].tolist() == [[[9, 4, 90, 40]], [[0, 0, 0, 0]]]
    assert found["boxes"].dtype == np.float32
    assert found["size"].tolist() == [[40, 90], [10, 15]]


def test_what_is_as_it_is_passes_through():
    scores = np.float32([[0.5], [0.25]])
    np.testing.assert_array_equal(answered(["scores"], {"scores": scores})["scores"], scores)
