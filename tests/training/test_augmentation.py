"""What fine-tuning does to a batch: a function of (seed, step), and what each layer must keep."""

import keras
import numpy as np
import numpy_reference
import pytest
from keras import ops
from PIL import Image, ImageEnhance

import keras_simmim as ks
from keras_simmim.backend import devices

pytestmark = pytest.mark.fast_on("tensorflow", "torch")

Augmentation = ks.training.Augmentation
TARGETS = np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2, 0, 1]]
EVERY = [
    {"mixup": 0.8},
    {"cutmix": 1.0},
    {"erasing": 1.0},
    {"rand_augment": 9.0},
    {"color_jitter": 0.4},
]
GRAY = np.array([0.299, 0.587, 0.114])


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


@pytest.mark.parametrize("arguments", [{"erasing": 0.5}, {"rand_augment": 9.0}])
def test_replicas_change_their_images_as_one_device_does(images, arguments, monkeypatch):
    # Keras' layer equalizes over a batch, not over each image.
    monkeypatch.setattr(
        keras.layers.Equalization, "transform_images", lambda self, images, *_, **__: images
    )
    steps = range(8)
    whole = [augmented(images, step, **arguments)[0] for step in steps]
    monkeypatch.setattr(devices, "all_examples", lambda value: ops.concatenate([value, value]))
    for own in (slice(0, 4), slice(4, 8)):
        monkeypatch.setattr(
            devices, "own_examples", lambda values, _, own=own: [v[own] for v in values]
        )
        for step in steps:
            changed, _ = augmented(images[own], step, **arguments)
            np.testing.assert_allclose(changed, whole[step][own], atol=1e-3)


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


def drawn_factors(seed, step, batch_size, strength):
    """Return each image's factors of brightness, contrast and saturation, (B, 3)."""
    image, factor = np.arange(batch_size)[:, None], np.arange(3)[None]
    words = numpy_reference.hash_words([seed ^ 0x4A697474, step, image, factor])
    return 1 + strength * (2 * ((words >> 9) + 0.5) / 2**23 - 1)


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_the_jitter_is_what_numpy_makes_of_it(images, strength):
    changed, _ = augmented(images, step=5, seed=3, color_jitter=strength)
    for image, found, factors in zip(
        images.astype("float64"), changed, drawn_factors(3, 5, 8, strength), strict=True
    ):
        brightness, contrast, saturation = factors
        expected = np.clip(brightness * image, 0, 255)
        mean = (expected @ GRAY).mean()
        expected = np.clip(contrast * expected + (1 - contrast) * mean, 0, 255)
        gray = (expected @ GRAY)[..., None]
        expected = np.clip(saturation * expected + (1 - saturation) * gray, 0, 255)
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_the_jitter_is_that_of_pillow_up_to_its_rounding(images):
    changed, _ = augmented(images, step=6, color_jitter=0.4)
    enhancements = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for image, found, factors in zip(images, changed, drawn_factors(0, 6, 8, 0.4), strict=True):
        expected = Image.fromarray(image)
        for enhancement, factor in zip(enhancements, factors, strict=True):
            expected = enhancement(expected).enhance(factor)
        # Pillow cuts off fractions after each of the three, and the next one can make more of it.
        np.testing.assert_allclose(found, np.asarray(expected, "float32"), atol=4)


def test_the_jitter_of_gray_images_has_no_saturation(images):
    gray = images[..., :1]
    changed, _ = augmented(gray, step=7, color_jitter=0.4)
    assert changed.shape == gray.shape
    brightness, contrast, _ = drawn_factors(0, 7, 8, 0.4).T[..., None, None, None]
    expected = np.clip(brightness * gray, 0, 255)
    mean = expected.mean((1, 2), keepdims=True)
    expected = np.clip(contrast * expected + (1 - contrast) * mean, 0, 255)
    np.testing.assert_allclose(changed, expected, atol=2e-4)
    as_color, _ = augmented(gray.repeat(3, axis=-1), step=7, color_jitter=0.4)
    np.testing.assert_allclose(as_color, changed.repeat(3, axis=-1), atol=2e-4)


def test_the_jitter_of_an_image_does_not_depend_on_the_others(images):
    changed, _ = augmented(images, step=8, color_jitter=0.4)
    layer = Augmentation(color_jitter=0.4)
    first = layer(images[:3], TARGETS[:3], step=8)[0]
    np.testing.assert_allclose(ops.convert_to_numpy(first), changed[:3], atol=2e-4)


def test_gray_images_stay_gray(images):
    changed, _ = augmented(images[..., :1], rand_augment=9.0)
    assert changed.shape == (*images.shape[:-1], 1)


def test_it_round_trips():
    layer = Augmentation(9.0, 0.25, 0.8, 1.0, cutmix_share=0.4, seed=7, color_jitter=0.3)
    assert Augmentation.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rand_augment": 11}, "rand_augment must be from 0 to 10, got 11"),
        ({"erasing": -0.1}, "erasing must be from 0 to 1, got -0.1"),
        ({"cutmix": 2}, "cutmix must be from 0 to 1, got 2"),
        ({"color_jitter": 1.5}, "color_jitter must be from 0 to 1, got 1.5"),
        ({"seed": -1}, "seed must be an integer with 0 <= seed"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**arguments)


@pytest.mark.parametrize("name", ["rand_augment", "color_jitter"])
def test_colors_need_one_or_three_channels(images, name):
    with pytest.raises(ValueError, match=f"{name} needs images of 1 or 3 channels, got 2"):
        Augmentation(**{name: 0.5})(images[..., :2], TARGETS, step=0)


def test_its_name_in_files_stays():
    assert keras.saving.get_registered_name(Augmentation) == "keras_simmim>Augmentation"
