"""Several crops of each image: the first as without the others, all drawn by themselves."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_simmim import data
from keras_simmim.data.pipeline import cropping
from keras_simmim.data.reading.encoded_image import EncodedImage
from keras_simmim.data.sources import tfds

pytestmark = pytest.mark.any_backend


def epoch_of(dataset):
    return np.concatenate(list(dataset.as_numpy_iterator()))


@pytest.fixture
def make(textured_images):
    def build(**options):
        return data.from_arrays(textured_images, image_size=16, batch_size=2, **options)

    return build


def test_the_first_is_the_one_that_comes_alone_and_all_depend_on_seed_and_epoch(make):
    alone, several = make(seed=3), data.metered(make(seed=3, crops=2))
    epochs = [epoch_of(several) for _ in range(2)]
    for crops in epochs:
        assert crops.dtype == np.uint8
        np.testing.assert_array_equal(crops[:, 0], epoch_of(alone))
        assert np.all(np.any(crops[:, 0] != crops[:, 1], axis=(1, 2, 3)))
    assert not np.array_equal(epochs[0][:, 1], epochs[1][:, 1])
    # A meter counts images and not their crops.
    assert several.meter.images == 20
    resumed = make(seed=3, crops=2, epoch=1, first_batch=2)
    np.testing.assert_array_equal(epoch_of(resumed), epochs[1][4:])


def test_no_two_crops_share_a_seed(monkeypatch):
    monkeypatch.setattr(cropping, "crop_image", lambda image, crop, seed: seed)
    seeds = [
        tuple(seed)
        for position in (0, 1, 2**40)
        for seed in cropping.crop_repeatedly(
            None, None, 8, tf.constant([-5, position], tf.int64)
        ).numpy()
    ]
    assert len(set(seeds)) == 24
    assert {epoch_seed for epoch_seed, _ in seeds} == {-5}
    # The epoch's order is drawn at -1.
    assert min(position for _, position in seeds) == 0


def test_all_are_drawn_alike():
    # Of a ramp, the mean tells where a crop lies and the differences how wide it is.
    ramp = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8), (400, 64, 64))
    crops = epoch_of(data.from_arrays(ramp, image_size=8, batch_size=100, crops=2))
    crops = crops[..., 0].mean(axis=2)
    mirrored = crops[..., 0] > crops[..., -1]
    widths = np.abs(crops[..., 0] - crops[..., -1])
    np.testing.assert_allclose(mirrored.mean(axis=0), 0.5, atol=0.1)
    np.testing.assert_allclose(widths.mean(axis=0), widths.mean(), rtol=0.02)
    means = crops.mean(axis=2)
    np.testing.assert_allclose(means.mean(axis=0), 126, atol=2)
    for drawn in (mirrored, widths, means):
        assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.15


def test_a_jpeg_of_a_folder_is_read_once_and_decoded_crop_by_crop(
    tmp_path, textured_images, monkeypatch
):
    for number in range(4):
        folder = tmp_path / ("cat", "dog")[number % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(textured_images[number]).save(folder / f"{number}.jpg")
    opened, boxes = [], []
    read, part = EncodedImage.open.__func__, EncodedImage.part

    def counted_open(cls, *arguments):
        opened.append(arguments)
        return read(cls, *arguments)

    def counted_part(image, box, size=None):
        boxes.append(box)
        return part(image, box, size)

    monkeypatch.setattr(EncodedImage, "open", classmethod(counted_open))
    monkeypatch.setattr(EncodedImage, "part", counted_part)
    dataset = data.image_folder(tmp_path, (8, 12), 4, crops=2)
    # Beside the search for one intact file.
    assert (len(opened) - 1, len(boxes) - 1) == (1, 2)
    ((images, labels),) = dataset.as_numpy_iterator()
    assert images.shape == (4, 2, 8, 12, 3)
    assert sorted(labels) == [0, 0, 1, 1]
    assert dataset.element_spec[0].shape == (4, 2, 8, 12, 3)
    assert dataset.image_count == 4


@pytest.mark.long
def test_another_image_takes_the_place_of_a_broken_one_in_all_crops(colored_folder):
    folder = colored_folder(8)
    (folder / "03.png").write_bytes(b"broken")
    images = epoch_of(data.image_folder(folder, 8, 4, crops=2))
    assert images.shape == (8, 2, 8, 8, 3)
    np.testing.assert_array_equal(images[:, 0], images[:, 1])


def test_tfds_gives_them(textured_images, monkeypatch):
    encoded = [tf.io.encode_png(image) for image in textured_images[:4]]
    stored = tf.data.Dataset.from_tensor_slices({"image": encoded, "label": [3, 2, 1, 0]})
    monkeypatch.setattr(tfds, "_prepared", lambda *_: (stored, None, True))
    ((images, labels),) = data.from_tfds("any", "train", 8, 4, crops=2)
    assert images.shape == (4, 2, 8, 8, 3)
    assert labels.shape == (4,)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"crops": 0}, ValueError, "crops must be at least 1, got 0"),
        ({"crops": 9}, ValueError, "crops must be from 1 to 8, got 9"),
        ({"crops": 2.0}, TypeError, "crops must be an integer, got 2.0"),
        ({"crops": True}, TypeError, "crops must be an integer, got True"),
        ({"crops": 2, "training": False}, ValueError, "crops=2 needs training=True and random"),
    ],
)
def test_what_is_refused(make, arguments, error, match):
    with pytest.raises(error, match=match):
        make(**arguments)


def test_central_crops_would_all_be_the_same(textured_images):
    with pytest.raises(ValueError, match="crops=2 needs training=True and random crops"):
        data.from_arrays(textured_images, crop=data.CenterCrop(16), crops=2)
