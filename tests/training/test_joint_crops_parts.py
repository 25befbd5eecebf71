"""Boxes that are cut away or too many; what joint crops refuse."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.training.largest_boxes import largest_boxes
from keras_simmim.training.move_boxes import move_boxes

pytestmark = pytest.mark.fast_on("tensorflow", "torch")

JointCrops = ks.training.JointCrops


def test_the_largest_boxes_are_kept():
    sides = np.float32([[2.0001, 1, 0, 4, 2.0002]])[..., None]
    boxes = np.concatenate([sides * 0, sides], axis=-1).repeat(2, axis=-1)
    boxes, labels = largest_boxes(
        ops.convert_to_tensor(boxes), ops.convert_to_tensor([[7, 8, -1, -2, 9]]), count=3
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(labels), [[-2, 7, 9]])
    np.testing.assert_allclose(ops.convert_to_numpy(boxes)[0, :, 3], [4, 2.0001, 2.0002])


@pytest.mark.parametrize(
    ("box", "min_visible", "expected"),
    [
        ([1, 0, 5, 4], 0.25, [0, 0, 2, 8]),  # a quarter of it is seen
        ([1, 0, 5, 4], 0.26, None),
        ([0, 0, 4, 4], 0.0, None),  # nothing
        ([2, 1, 6, 3], 1.0, None),  # half of it
        ([6, 1, 7, 1.4], 0.0, None),  # less than a pixel high
        ([6, 1, 99, 3], 1.0, [4, 2, 8, 6]),  # cut to the image first, and whole then
        ([7, 2, 6, 1], 0.0, None),  # its right side left of its left side
    ],
)
def test_boxes_that_are_cut_away_are_dropped(box, min_visible, expected):
    """The crop is the upper right quarter of an image of 8×8 pixels."""
    boxes, labels = move_boxes(
        ops.convert_to_tensor(np.float32([[box] * 3])),
        ops.convert_to_tensor(np.int32([[3, -1, -2]])),
        ops.convert_to_tensor(np.float32([[0, 4, 4, 4]])),
        ops.zeros(1, "bool"),
        (8, 8),
        min_visible,
    )
    nothing = [0] * 4
    labels, boxes = ops.convert_to_numpy(labels)[0], ops.convert_to_numpy(boxes)[0]
    assert list(labels[:2]) == [-1 if expected is None else 3, -1]
    np.testing.assert_allclose(boxes[:2], [expected or nothing, nothing])
    # What losses ignore stays as long as it has a pixel along each side.
    assert labels[2] == (-1 if min_visible == 0 else -2)
    assert np.any(boxes[2] != 0) == (min_visible > 0)


def test_it_round_trips():
    layer = JointCrops((0.2, 4.0), (0.5, 2.0), False, 0.4, 0.2, 0.5, 0.3, seed=7)
    assert JointCrops.from_config(layer.get_config()).get_config() == layer.get_config()
    assert keras.saving.get_registered_name(JointCrops) == "keras_simmim>JointCrops"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scale": (0, 1)}, ValueError, "scale must satisfy 0 < low <= high"),
        ({"ratio": (2, 1)}, ValueError, "ratio must satisfy 0 < low <= high"),
        ({"flip": 1}, TypeError, "flip must be True or False, got 1"),
        ({"color_jitter": 1.5}, ValueError, "color_jitter must be from 0 to 1, got 1.5"),
        ({"mosaic": -1}, ValueError, "mosaic must be from 0 to 1, got -1"),
        ({"mixup": 2}, ValueError, "mixup must be from 0 to 1, got 2"),
        ({"min_visible": 1.1}, ValueError, "min_visible must be from 0 to 1, got 1.1"),
        ({"seed": -1}, ValueError, "seed must be an integer with 0 <= seed"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        JointCrops(**arguments)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"masks": (2, 8, 8)}, r"record must have images, and either .*got \['masks'\]"),
        ({"images": (2, 8, 8, 3)}, r"either masks or boxes and labels, got \['images'\]"),
        ({"images": (2, 8, 8, 3), "boxes": (2, 5, 4)}, r"got \['boxes', 'images'\]"),
        (
            {"images": (2, 8, 8, 3), "masks": (2, 8, 8), "boxes": (2, 5, 4), "labels": (2, 5)},
            r"got \['boxes', 'images', 'labels', 'masks'\]",
        ),
        ({"images": (8, 8, 3), "masks": (8, 8)}, r"images must be \(B, H, W, C\), got \(8, 8, 3"),
        (
            {"images": (2, 8, 8, 3), "masks": (2, 8, 9)},
            r"masks must be \(2, 8, 8\) .*got \(2, 8, 9\)",
        ),
        (
            {"images": (2, 8, 8, 3), "masks": (2, 8, 8, 1)},
            r"masks must be \(2, 8, 8\) .*got \(2, 8, 8, 1\)",
        ),
        (
            {"images": (2, 8, 8, 3), "boxes": (2, 5, 5), "labels": (2, 5)},
            r"boxes must be \(B, M, 4\) with M at least 1, got \(2, 5, 5\)",
        ),
        (
            {"images": (2, 8, 8, 3), "boxes": (3, 5, 4), "labels": (3, 5)},
            r"boxes must be \(2, 5, 4\) .*got \(3, 5, 4\)",
        ),
        (
            {"images": (2, 8, 8, 3), "boxes": (2, 5, 4), "labels": (2, 4)},
            r"labels must be \(2, 5\) .*got \(2, 4\)",
        ),
        (
            {"images": (2, 8, 8, 2), "masks": (2, 8, 8)},
            "color_jitter needs images of 1 or 3 channels, got 2",
        ),
    ],
)
def test_records_that_do_not_fit_are_refused(shapes, message):
    record = {name: np.zeros(shape, "int32") for name, shape in shapes.items()}
    with pytest.raises(ValueError, match=message):
        JointCrops(color_jitter=0.1)(record, step=0)


def test_masks_are_not_mixed():
    record = {"images": np.zeros((2, 8, 8, 3), "uint8"), "masks": np.zeros((2, 8, 8), "int32")}
    with pytest.raises(ValueError, match=r"mixup must be 0 for masks, .*got 0.5"):
        JointCrops(mixup=0.5)(record, step=0)
