"""With a cache, files are read in their first epoch alone, and crops stay what they are."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_simmim as ks
from keras_simmim.data.geometry.crop_arguments import needed_side
from keras_simmim.data.reading.pixel_cache import fits_in_memory

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of four sizes, the last one smaller than any crop."""
    path = tmp_path_factory.mktemp("images")
    for number, (height, width) in enumerate([(48, 64), (64, 48), (50, 50), (12, 14)]):
        row, column = np.mgrid[:height, :width]
        waves = [np.sin(row / 9 + number) * np.cos(column / 7 - axis) for axis in range(3)]
        pixels = (np.stack(waves, -1) * 100 + 128).astype("uint8")
        Image.fromarray(pixels).save(path / f"{number}.png")
    return path


def epochs(dataset, count):
    return [np.concatenate(list(dataset.as_numpy_iterator())) for _ in range(count)]


@pytest.mark.long
@pytest.mark.parametrize("place", ["memory", "disk"])
def test_images_that_are_small_enough_are_cropped_as_without(folder, place):
    # The smallest crop, of a quarter of the area, has half of the sides.
    arguments = {"crop": ks.data.RandomCrop(40, scale=(0.25, 1.0)), "batch_size": 2}
    assert needed_side(arguments["crop"]) == 80
    plain = epochs(ks.data.image_folder(folder, **arguments), 3)
    kept = epochs(ks.data.image_folder(folder, **arguments, cache=place), 3)
    np.testing.assert_array_equal(kept, plain)


def test_larger_ones_are_averaged_first(folder):
    dataset = ks.data.image_folder(folder, 16, 4, training=False, cache="memory")
    with Image.open(folder / "0.png") as image:
        pixels = np.asarray(image).astype(float)
    # 48×64 pixels become 16×21, of which 16×16 are in the center.
    averaged = tf.image.resize(pixels, (16, 21), method="area").numpy()[:, 2:18]
    for epoch in epochs(dataset, 2):
        assert np.abs(epoch[0] - averaged).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("place", ["memory", pytest.param("disk", marks=pytest.mark.long)])
def test_files_are_read_once(folder, tmp_path, place):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    dataset = ks.data.image_folder(tmp_path, 16, 4, training=False, cache=place)
    (first,) = epochs(dataset, 1)
    for file in tmp_path.iterdir():
        file.unlink()
    np.testing.assert_array_equal(epochs(dataset, 1)[0], first)


@pytest.mark.long
@pytest.mark.parametrize("training", [True, False])
def test_broken_files_stay_broken(folder, tmp_path, training):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    options = {"image_size": 16, "batch_size": 2, "training": training}
    dataset = ks.data.image_folder(tmp_path, **options, cache="memory")
    plain = ks.data.image_folder(tmp_path, **options)
    for found, expected in zip(epochs(dataset, 2), epochs(plain, 2), strict=True):
        assert found.shape == expected.shape
    assert list(dataset.broken_files) == [str(tmp_path / "1.png")]


def test_floats_and_gray_are_kept_too(folder):
    for options in ({"channels": 1}, {"value_range": (10, 250)}):
        dataset = ks.data.image_folder(
            folder, 16, 4, training=False, cache="disk", drop_remainder=False, **options
        )
        first, second = epochs(dataset, 2)
        np.testing.assert_array_equal(second, first)
        assert first.dtype == ("float32" if "value_range" in options else "uint8")
        assert first.shape == (4, 16, 16, options.get("channels", 3))


@pytest.mark.long
def test_masks_follow_the_whole_image(folder, tmp_path):
    for file in folder.iterdir():
        with Image.open(file) as image:
            Image.new("L", image.size, 1).save(tmp_path / file.name)
    arguments = (folder, tmp_path, 16, 2)
    plain = ks.data.segmentation_folder(*arguments)
    kept = ks.data.segmentation_folder(*arguments, cache="memory")
    for _ in range(2):
        for one, other in zip(plain.as_numpy_iterator(), kept.as_numpy_iterator(), strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])


def test_few_enough_images_are_kept_by_themselves(folder):
    plain = epochs(ks.data.image_folder(folder, 16, 4, training=False), 1)
    kept = epochs(ks.data.image_folder(folder, 16, 4, training=False, cache="auto"), 1)
    # They were averaged to be kept.
    assert not np.array_equal(kept, plain)
    assert fits_in_memory(2**30 // (4 * 100**2), 100)
    assert not fits_in_memory(2**30 // (4 * 100**2) + 1, 100)


def test_other_places_are_refused(folder):
    with pytest.raises(
        ValueError, match="cache must be None or 'auto' or 'memory' or 'disk', got 'ram'"
    ):
        ks.data.image_folder(folder, 16, cache="ram")
