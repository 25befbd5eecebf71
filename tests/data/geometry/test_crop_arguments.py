"""A crop is one object or the short arguments, and never both."""

import numpy as np
import pytest

from keras_simmim.data import CenterCrop, RandomCrop, from_arrays

pytestmark = pytest.mark.any_backend


def pixels(dataset):
    return np.concatenate(list(dataset.as_numpy_iterator()))


@pytest.mark.long
@pytest.mark.parametrize(
    ("crop", "arguments"),
    [
        (RandomCrop(8), {"image_size": 8}),
        (
            RandomCrop((8, 6), scale=(0.2, 0.5), ratio=(1.0, 2.0), flip=False),
            {
                "image_size": (8, 6),
                "crop_scale": (0.2, 0.5),
                "crop_ratio": (1.0, 2.0),
                "flip": False,
            },
        ),
        (RandomCrop((24, 32), flip=False), {"flip": False}),
        (CenterCrop(8), {"image_size": 8, "training": False}),
        (CenterCrop(8), {"image_size": 8, "training": False, "flip": False, "crop": None}),
    ],
)
def test_both_ways_give_the_same_pixels(textured_images, crop, arguments):
    training = arguments.get("training", True)
    dataset = from_arrays(textured_images, batch_size=3, crop=crop, training=training, seed=4)
    expected = from_arrays(textured_images, batch_size=3, seed=4, **arguments)
    np.testing.assert_array_equal(pixels(dataset), pixels(expected))


def test_centers_in_a_random_order(textured_images):
    dataset = from_arrays(textured_images, batch_size=5, crop=CenterCrop((24, 32)))
    first, second = pixels(dataset), pixels(dataset)
    assert not np.array_equal(first, second)
    for epoch in (first, second):
        assert {image.tobytes() for image in epoch} == {i.tobytes() for i in textured_images}


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (
            {"crop": RandomCrop(8), "image_size": 8, "flip": True},
            ValueError,
            r"either crop or image_size, flip, got both, crop=RandomCrop\(size=8",
        ),
        (
            {"crop": CenterCrop(8), "crop_scale": (0.5, 1.0)},
            ValueError,
            "either crop or crop_scale, got both",
        ),
        (
            {"crop": RandomCrop(8), "training": False},
            ValueError,
            "crop must be a CenterCrop or WholeImage if training=False, got RandomCrop",
        ),
        (
            {"crop": 8},
            TypeError,
            "crop must be a ks.data.RandomCrop, CenterCrop or WholeImage, got 8",
        ),
        (
            {"training": False, "crop_scale": (0.5, 1.0)},
            ValueError,
            r"crop_scale is of random crops: training=False .* got crop_scale=\(0.5, 1.0\)",
        ),
        ({"training": False, "crop_ratio": (1.0, 1.0)}, ValueError, "crop_ratio is of random"),
        ({"training": False, "flip": True}, ValueError, "flip is of random crops"),
        (
            {"crop_scal": (0.5, 1.0)},
            TypeError,
            "unexpected argument 'crop_scal'; all sources accept crop, crop_ratio, crop_scale",
        ),
    ],
)
def test_contradictions_are_refused(textured_images, arguments, error, match):
    with pytest.raises(error, match=match):
        from_arrays(textured_images, **arguments)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: RandomCrop(0), ValueError, "size must be at least 1, got 0"),
        (lambda: RandomCrop("8"), TypeError, "size must be an integer or a pair"),
        (lambda: RandomCrop(8, scale=(0.5, 1.5)), ValueError, "scale must satisfy .* <= 1"),
        (lambda: RandomCrop(8, ratio=(2, 1)), ValueError, "ratio must satisfy"),
        (lambda: RandomCrop(8, flip=1), TypeError, "flip must be True or False"),
        (lambda: CenterCrop((8, 8, 3)), TypeError, "size must be an integer or a pair"),
    ],
)
def test_descriptions_out_of_bounds(make, error, match):
    with pytest.raises(error, match=match):
        make()
