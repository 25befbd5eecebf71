"""What fine-tuning does to a batch: a function of (seed, step), and what each layer must keep."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

Augmentation = ks.training.Augmentation
TARGETS = np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2, 0, 1]]
EVERY = [{"mixup": 0.8}, {"cutmix": 1.0}, {"erasing": 1.0}, {"rand_augment": 9.0}]


def augmented(images, step=0, **arguments):
    changed, targets = Augmentation(**arguments)(images, TARGETS, step=step)
    return ops.convert_to_numpy(changed), ops.convert_to_numpy(targets)


def test_nothing_is_done_unless_asked_for(images):
    changed, targets = augmented(images)
    np.testing.assert_array_equal(changed, images)
    np.testing.assert_array_equal(targets, TARGETS)


@pytest.mark.parametrize("arguments", EVERY)
def test_it_is_a_function_of_seed_and_step(images, arguments):
    layer = Augmentation(**arguments, seed=3)
    first, _ = layer(images, TARGETS, step=5)
    other, _ = layer(images, TARGETS, step=6)
    again, _ = layer(images, TARGETS, step=5)
    # A new layer, as after a restart, with another past.
    anew, _ = augmented(images, step=5, **arguments, seed=3)
    another_seed, _ = augmented(images, step=5, **arguments, seed=4)
    first, other, again = map(ops.convert_to_numpy, (first, other, again))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, anew)
    assert np.any(first != other)
    assert np.any(first != another_seed)


@pytest.mark.parametrize("arguments", EVERY)
def test_pixels_stay_pixels_and_labels_keep_their_sum(images, arguments):
    for step in range(3):
        changed, targets = augmented(images, step, **arguments)
        assert changed.dtype == np.float32
        assert changed.shape == images.shape
        assert changed.min() >= 0
        assert changed.max() <= 255
        np.testing.assert_allclose(targets.sum(1), 1, atol=1e-5)


def test_mixup_mixes_images_and_labels_by_the_same_share():
    # Image i has the value 30·i everywhere, and its own class: the share is read off either.
    images = np.broadcast_to(30.0 * np.arange(8)[:, None, None, None], (8, 4, 6, 3))
    layer = Augmentation(mixup=0.8)
    mixed, targets = layer(images.astype("float32"), np.eye(8, dtype="float32"), step=1)
    mixed, targets = ops.convert_to_numpy(mixed), ops.convert_to_numpy(targets)
    np.testing.assert_allclose(mixed[:, 0, 0, 0], targets @ (30.0 * np.arange(8)), rtol=1e-4)
    assert np.all(np.count_nonzero(targets > 1e-6, axis=1) <= 2)


def test_cutmix_counts_the_pixels_that_it_takes():
    images = np.broadcast_to(30.0 * np.arange(8)[:, None, None, None], (8, 32, 32, 1))
    layer = Augmentation(cutmix=1.0)
    mixed, targets = layer(images.astype("float32"), np.eye(8, dtype="float32"), step=2)
    mixed, targets = ops.convert_to_numpy(mixed), ops.convert_to_numpy(targets)
    own = np.mean(mixed == images, axis=(1, 2, 3))
    # The border of the rectangle falls between pixels: up to one row and column of 32.
    np.testing.assert_allclose(own, np.diag(targets), atol=2 / 32)


def test_one_batch_has_mixup_or_cutmix_and_both_come():
    images = np.broadcast_to(30.0 * np.arange(8)[:, None, None, None], (8, 4, 4, 1))
    layer = Augmentation(mixup=0.8, cutmix=1.0)
    cut = []
    for step in range(20):
        mixed = ops.convert_to_numpy(layer(images, np.eye(8, dtype="float32"), step=step)[0])
        cut.append(np.all(np.isclose(mixed % 30, 0) | np.isclose(mixed % 30, 30)))
    assert 3 < sum(cut) < 17


def test_erasing_leaves_what_is_outside_one_rectangle(images):
    changed, _ = augmented(images, erasing=1.0)
    for image, erased in zip(images, changed, strict=True):
        rows, columns = np.nonzero(np.any(image != erased, axis=-1))
        share = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / image[..., 0].size
        assert 0 < share < 0.75


def test_grey_images_stay_grey(images):
    changed, _ = augmented(images[..., :1], rand_augment=9.0)
    assert changed.shape == (*images.shape[:-1], 1)


def test_it_round_trips():
    layer = Augmentation(9.0, 0.25, 0.8, 1.0, cutmix_share=0.4, seed=7, name="layer")
    assert Augmentation.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rand_augment": 11}, "rand_augment must be from 0 to 10, got 11"),
        ({"erasing": -0.1}, "erasing must be from 0 to 1, got -0.1"),
        ({"cutmix": 2}, "cutmix must be from 0 to 1, got 2"),
        ({"seed": -1}, "seed must be an integer with 0 <= seed"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**arguments)


def test_rand_augment_needs_one_or_three_channels(images):
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        Augmentation(rand_augment=5)(images[..., :2], TARGETS, step=0)
    assert keras.saving.get_registered_name(Augmentation) == "keras_simmim>Augmentation"
