"""A crop is drawn once, as numbers, and then done to an image."""

import numpy as np
import pytest
import tensorflow as tf

from keras_simmim.data import CenterCrop, RandomCrop
from keras_simmim.data.geometry.apply_crop import apply_crop
from keras_simmim.data.geometry.boxes import cut
from keras_simmim.data.geometry.draw_crop import DrawnCrop, draw_crop
from keras_simmim.data.pipeline.epochs import Epochs

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize(
    ("seed", "shape", "crop", "box", "mirrored"),
    [
        ((3, 0), (300, 400, 3), RandomCrop(8), [0, 28, 292, 302], False),
        ((3, 1), (300, 400, 3), RandomCrop(8), [8, 30, 274, 357], False),
        ((-5, 7), (375, 500, 3), RandomCrop(8, scale=(0.08, 1.0)), [195, 167, 135, 170], False),
        ((2**62, 12345), (10, 1000, 3), RandomCrop(8), [0, 334, 10, 13], False),
    ],
)
def test_a_seed_draws_what_it_drew_in_the_first_version(seed, shape, crop, box, mirrored):
    drawn = draw_crop(crop, tf.constant(shape), tf.constant(seed, tf.int64))
    assert drawn.box.numpy().tolist() == box
    assert drawn.size == (8, 8)
    assert bool(drawn.mirrored) == mirrored


@pytest.mark.parametrize(
    ("seed", "epoch", "epoch_seed", "order"),
    [
        (0, 0, -6856063536328932722, [9, 6, 2, 4, 1, 5, 3, 8, 0, 7]),
        (1, 5, -4817244439409816237, [9, 4, 8, 0, 2, 1, 7, 3, 6, 5]),
    ],
)
def test_an_epoch_is_what_it_was_in_the_first_version(seed, epoch, epoch_seed, order):
    epochs = Epochs(training=True, seed=seed, epoch=epoch)
    found, left_out = next(iter(epochs.start()))
    assert (int(found), int(left_out)) == (epoch_seed, 0)
    assert epochs.order(10, found).numpy().tolist() == order


def test_without_flip_the_box_is_the_same_and_nothing_is_mirrored():
    seeds = [tf.constant([5, position], tf.int64) for position in range(20)]
    shape = tf.constant([30, 40])
    drawn = [draw_crop(RandomCrop(8), shape, seed) for seed in seeds]
    plain = [draw_crop(RandomCrop(8, flip=False), shape, seed) for seed in seeds]
    assert {bool(crop.mirrored) for crop in drawn} == {True, False}
    assert not any(crop.mirrored for crop in plain)
    np.testing.assert_array_equal([crop.box for crop in drawn], [crop.box for crop in plain])


def test_a_crop_is_what_its_numbers_say(textured_images):
    image = tf.constant(textured_images[0])
    box = tf.constant([3, 5, 8, 10])
    expected = textured_images[0, 3:11, 5:15]
    for mirrored in (False, tf.constant(False), tf.constant(True)):
        drawn = DrawnCrop(box, (8, 10), mirrored)
        result = apply_crop(drawn, cut(image, drawn.box)).numpy()
        np.testing.assert_array_equal(result, expected[:, ::-1] if mirrored else expected)


def test_the_center_needs_no_seed():
    drawn = draw_crop(CenterCrop((8, 16)), tf.constant([40, 60, 3]))
    assert drawn.box.numpy().tolist() == [5, 0, 30, 60]
    assert drawn.mirrored is False
