import numpy as np
import pytest

from keras_simmim import data

pytestmark = pytest.mark.any_backend


def test_evaluation_is_the_arrays_themselves(textured_images):
    labels = np.arange(10)
    dataset = data.from_arrays(textured_images, labels, batch_size=4, training=False)
    images, classes = (
        np.concatenate(parts) for parts in zip(*dataset.as_numpy_iterator(), strict=True)
    )
    np.testing.assert_array_equal(images, textured_images)
    assert classes.dtype == np.int32
    np.testing.assert_array_equal(classes, labels)
    assert dataset.image_count == 10
    assert dataset.class_names is None


def test_whole_crops_are_a_permutation_and_its_mirrors(textured_images):
    dataset = data.from_arrays(
        textured_images,
        np.arange(10),
        batch_size=5,
        crop_scale=(1.0, 1.0),
        crop_ratio=(4 / 3, 4 / 3),
    )
    mirrored = 0
    for _ in range(4):
        seen = []
        for images, labels in dataset.as_numpy_iterator():
            for image, label in zip(images, labels, strict=True):
                original = textured_images[label]
                is_mirrored = not np.array_equal(image, original)
                np.testing.assert_array_equal(image[:, ::-1] if is_mirrored else image, original)
                mirrored += is_mirrored
                seen.append(int(label))
        assert sorted(seen) == list(range(10))
    assert 8 <= mirrored <= 32


def test_without_flip_nothing_is_mirrored():
    ramp = np.broadcast_to(np.arange(0, 128, 4, dtype=np.uint8), (6, 24, 32))
    for batch in data.from_arrays(ramp, image_size=8, batch_size=3, flip=False):
        assert (np.diff(batch.numpy()[..., 0].astype(int), axis=2) >= 0).all()


def test_gray_and_floats(textured_images):
    gray = textured_images[..., 0].astype(np.float32) - 0.3
    batch = next(iter(data.from_arrays(np.maximum(gray, 0), batch_size=10, training=False)))
    assert batch.shape == (10, 24, 32, 1)
    np.testing.assert_array_equal(batch[..., 0], textured_images[..., 0])


@pytest.mark.parametrize(
    ("images", "error", "match"),
    [
        (np.full((2, 8, 8, 3), 0.5), ValueError, "within 0-255, got float64 values up to 0.5"),
        (np.full((2, 8, 8, 3), 300), ValueError, "within 0-255, got values from 300 to 300"),
        (np.full((2, 8, 8, 3), np.nan), ValueError, "within 0-255"),
        (np.full((2, 8, 8, 3), -1), ValueError, "within 0-255"),
        (np.full((2, 8), 1), ValueError, r"got the shape \(2, 8\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), ValueError, r"got the shape \(0, 8, 8, 3\)"),
        (np.full((2, 8, 8, 3), "a"), TypeError, "images must be real numbers, got <U1"),
        (np.ones((2, 8, 8, 3), complex), TypeError, "images must be real numbers, got complex128"),
    ],
)
def test_arrays_out_of_bounds(images, error, match):
    with pytest.raises(error, match=match):
        data.from_arrays(images)


@pytest.mark.parametrize(
    ("values", "value_range", "expected"),
    [
        (np.uint16([0, 819, 4095, 5000]), (0, 4095), [0, 51, 255, 255]),
        (np.int16([-1000, 0, 1000, 3000]), (-1000, 1000), [0, 127.5, 255, 255]),
        (np.float32([-0.5, 0, 0.5, 1, 1.5]), [0, 1], [0, 0, 127.5, 255, 255]),
        (np.float64([-1, 0, np.inf]), (np.float32(-1), np.int64(1)), [0, 127.5, 255]),
        (np.uint8([0, 10, 12, 20, 30]), (10, 20), [0, 0, 51, 255, 255]),
    ],
)
def test_a_range_becomes_0_to_255(values, value_range, expected):
    images = np.stack([values, values[::-1]])[:, None]  # two of one row
    dataset = data.from_arrays(images, value_range=value_range, training=False)
    batch = next(iter(dataset)).numpy()
    assert batch.dtype == np.float32
    assert batch[:, 0, :, 0].tolist() == [expected, expected[::-1]]
    assert dataset.value_range == tuple(value_range)


def test_what_a_range_cannot_map_is_refused():
    images = np.ones((2, 8, 8), np.float32)
    images[1, 3, 3] = np.nan
    with pytest.raises(ValueError, match="images must be numbers, got NaN among them"):
        data.from_arrays(images, value_range=(0, 1))
    with pytest.raises(ValueError, match=r"value_range=\(low, high\) for others"):
        data.from_arrays(images)
    for value_range in ((1, 1), (2, 1), (0, np.inf), (np.nan, 1)):
        with pytest.raises(ValueError, match=r"value_range must satisfy low < high, got \("):
            data.from_arrays(images, value_range=value_range)
    for value_range in (255, "01", (0, 1, 2), ("0", "1")):
        with pytest.raises(TypeError, match=r"value_range must be a pair of numbers \(low, high\)"):
            data.from_arrays(images, value_range=value_range)


def test_labels_out_of_bounds(textured_images):
    with pytest.raises(ValueError, match="labels must be 10 integers"):
        data.from_arrays(textured_images, [1, 2])
    with pytest.raises(TypeError, match="labels must be integers, got float64"):
        data.from_arrays(textured_images, np.ones(10))
