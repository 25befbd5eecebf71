"""Masks and boxes beside arrays of images."""

import numpy as np
import pytest

from keras_simmim import data

pytestmark = pytest.mark.any_backend

BOXES = np.zeros((10, 3, 4), np.float32)
BOXES[:, 0] = [4, 6, 20, 18]
BOXES[:, 1] = [-5, -5, 10, 8]
LABELS = np.stack([np.arange(10), np.full(10, -2), np.full(10, -1)], axis=1)


def epoch_of(dataset):
    images, targets = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(images), targets


def test_evaluation_is_the_arrays_themselves(textured_images):
    masks = textured_images[..., 0].astype(np.int64)
    dataset = data.from_arrays(textured_images, batch_size=4, masks=masks, training=False)
    images, targets = epoch_of(dataset)
    np.testing.assert_array_equal(images, textured_images)
    assert targets[0].dtype == np.uint8
    np.testing.assert_array_equal(np.concatenate(targets), masks)
    assert dataset.image_count == 10


@pytest.mark.parametrize("channels", [1, 4])
def test_a_mask_follows_its_image(channels):
    # A ramp tells in every pixel where it was: nearest beside bilinear differs by half a pixel.
    ramp = np.add.outer(3 * np.arange(32), 2 * np.arange(48)).astype(np.uint8)
    images = np.broadcast_to(ramp[None, ..., None], (6, 32, 48, channels))
    masks = np.broadcast_to(ramp, (6, 32, 48))
    dataset = data.from_arrays(images, None, (40, 30), 3, masks=masks, seed=2)
    images, targets = epoch_of(dataset)
    masks = np.concatenate(targets)
    assert images.shape == (6, 40, 30, channels)
    assert masks.shape == (6, 40, 30)
    for channel in range(channels):
        differences = images[..., channel].astype(int) - masks
        assert np.abs(differences).max() <= 4
        assert np.abs(differences.mean(axis=(1, 2))).max() < 0.75


def test_boxes_are_clipped_and_keep_their_slots(textured_images):
    dataset = data.from_arrays(
        textured_images,
        image_size=(48, 32),
        batch_size=10,
        boxes={"boxes": BOXES, "labels": LABELS},
        training=False,
    )
    ((images, targets),) = dataset.as_numpy_iterator()
    assert images.shape == (10, 48, 32, 3)
    assert {name: part.dtype for name, part in targets.items()} == {
        "boxes": np.float32,
        "labels": np.int32,
    }
    np.testing.assert_array_equal(targets["labels"], LABELS)
    expected = [[4, 12, 20, 36], [0, 0, 10, 16], [0, 0, 0, 0]]
    np.testing.assert_array_equal(targets["boxes"], [expected] * 10)
    # The layout is known before a batch is.
    assert dataset.element_spec[1]["boxes"].shape == (None, 3, 4)


def test_a_run_goes_on_where_it_stopped(textured_images):
    options = {"image_size": 16, "batch_size": 2, "boxes": {"boxes": BOXES, "labels": LABELS}}
    whole = data.from_arrays(textured_images, seed=5, **options)
    epochs = [list(whole.as_numpy_iterator()) for _ in range(2)]
    resumed = data.from_arrays(textured_images, seed=5, epoch=1, first_batch=2, **options)
    batches = list(data.metered(resumed).as_numpy_iterator())
    assert len(batches) == 3
    for (images, targets), (expected, expected_targets) in zip(batches, epochs[1][2:], strict=True):
        np.testing.assert_array_equal(images, expected)
        for name in ("boxes", "labels"):
            np.testing.assert_array_equal(targets[name], expected_targets[name])
    assert not np.array_equal(epochs[0][0][1]["boxes"], epochs[1][0][1]["boxes"])


def test_training_crops_are_smaller_and_evaluation_has_the_whole(textured_images):
    ramp = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8), (200, 64, 64))
    widths = {}
    for name, more in (("plain", {}), ("dense", {"masks": ramp})):
        batch = next(iter(data.from_arrays(ramp, None, 8, 200, **more)))
        images = (batch[0] if more else batch).numpy()[:, 0, :, 0].astype(int)
        widths[name] = np.abs(images[:, -1] - images[:, 0]).mean()
    assert widths["dense"] < 0.95 * widths["plain"]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"masks": np.zeros((10, 24, 31), int)}, ValueError, r"masks must be .*\(10, 24, 31\)"),
        ({"masks": np.zeros((10, 24, 32))}, TypeError, "masks must be integers, got float64"),
        ({"masks": np.full((10, 24, 32), 256)}, ValueError, "within 0-255, got .* 256 to 256"),
        ({"masks": np.full((10, 24, 32), -1)}, ValueError, "within 0-255, got values from -1"),
        ({"boxes": BOXES}, TypeError, "boxes must be a dictionary of 'boxes' and 'labels'"),
        (
            {"boxes": {"boxes": BOXES, "labels": LABELS[:9]}},
            ValueError,
            r"boxes must be \(10, M, 4\) .*\(10, M\), got the shapes \(10, 3, 4\) and \(9, 3\)",
        ),
        (
            {"boxes": {"boxes": BOXES, "labels": LABELS * 1.0}},
            TypeError,
            "labels of boxes must be integers, got float64",
        ),
        (
            {"boxes": {"boxes": BOXES[..., [2, 1, 0, 3]], "labels": LABELS}},
            ValueError,
            r"got \[20.0, 6.0, 4.0, 18.0\] for box 0 of image 0 and 19 more like it",
        ),
        (
            {"boxes": {"boxes": BOXES * np.nan, "labels": LABELS}},
            ValueError,
            "left < right and top < bottom, got .*nan",
        ),
        (
            {"boxes": {"boxes": BOXES, "labels": np.where(LABELS == -1, -1, LABELS - 3)}},
            ValueError,
            "classes from 0, −1 for padding .*, got -3 for box 0 of image 0",
        ),
        (
            {"boxes": {"boxes": BOXES, "labels": np.full((10, 3), -1)}},
            ValueError,
            "boxes must hold one with a class at least, got none among all images",
        ),
        (
            {"labels": range(10), "masks": np.zeros((10, 24, 32), int)},
            ValueError,
            "at most one of labels, masks and boxes can be given, got labels, masks",
        ),
        (
            {"crops": 2, "masks": np.zeros((10, 24, 32), int)},
            ValueError,
            "crops must be 1 where there are masks or boxes, got 2",
        ),
        (
            {"crop_scale": (0.5, 1.0), "training": False, "masks": np.zeros((10, 24, 32), int)},
            ValueError,
            "crop_scale is of random crops: training=False takes the whole image",
        ),
    ],
)
def test_what_is_refused(textured_images, arguments, error, match):
    with pytest.raises(error, match=match):
        data.from_arrays(textured_images, **arguments)
