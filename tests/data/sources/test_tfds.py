import builtins

import numpy as np
import pytest
import tensorflow as tf

from keras_simmim import data
from keras_simmim.data.sources import tfds as source

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def tfds():
    import tensorflow_datasets

    return tensorflow_datasets


def epoch_of(dataset):
    return np.concatenate([images.numpy() for images, _ in dataset])


@pytest.mark.long
def test_labeled_epochs(tfds):
    with tfds.testing.mock_data(num_examples=11):
        first, resumed = (
            data.from_tfds("cifar10", "train", (16, 24), 4, epoch=epoch) for epoch in (0, 1)
        )
    images, labels = next(iter(first))
    assert images.shape == (4, 16, 24, 3)
    assert images.dtype == "uint8"
    assert labels.shape == (4,)
    assert labels.dtype == "int32"
    assert len(first.class_names) == 10
    epochs = [epoch_of(first) for _ in range(2)]
    assert not np.array_equal(epochs[0], epochs[1])
    np.testing.assert_array_equal(epoch_of(resumed), epochs[1])


@pytest.mark.long
def test_evaluation_and_limit(tfds):
    with tfds.testing.mock_data(num_examples=11):
        dataset = data.from_tfds("cifar10", "test", 32, 4, training=False, limit=6)
    assert [len(labels) for _, labels in dataset] == [4, 2]
    np.testing.assert_array_equal(epoch_of(dataset), epoch_of(dataset))


@pytest.mark.long
def test_gray(tfds):
    with tfds.testing.mock_data(num_examples=3):
        dataset = data.from_tfds("mnist", "train", 28, channels=1)
    images, _ = next(iter(dataset))
    assert images.shape == (3, 28, 28, 1)


@pytest.mark.long
def test_data_set_without_images(tfds):
    with (
        tfds.testing.mock_data(num_examples=3),
        pytest.raises(ValueError, match="integer pixels in a feature called 'image'"),
    ):
        data.from_tfds("imdb_reviews", "train", 28)


def test_missing_package(monkeypatch):
    original = builtins.__import__

    def without_tfds(name, *arguments, **options):
        if name == "tensorflow_datasets":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_tfds)
    with pytest.raises(ImportError, match=r"pip install 'keras-simmim\[datasets\]'"):
        data.from_tfds("cifar10", "train", 32)


@pytest.mark.long
def test_16_bits_of_any_range(monkeypatch):
    values = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8, 1)
    stored = tf.data.Dataset.from_tensors({"image": tf.io.encode_png(values)})
    monkeypatch.setattr(source, "_prepared", lambda *_: (stored, None, False))
    dataset = data.from_tfds("depth", "train", 8, training=False)
    expected = np.floor(values.astype(int) * 255 / 65535 + 0.5)
    np.testing.assert_array_equal(next(iter(dataset))[0], np.repeat(expected, 3, axis=-1))
    dataset = data.from_tfds("depth", "train", 8, value_range=(64, 3968), training=False)
    found = next(iter(dataset))[0]
    assert dataset.value_range == (64, 3968)
    assert found.dtype == "float32"
    expected = np.clip((values.astype(int) - 64) * 255 / 3904, 0, 255)
    np.testing.assert_allclose(found, np.repeat(expected, 3, axis=-1), 1e-6)
    with pytest.raises(ValueError, match="value_range must satisfy 0 <= low < high <= 65535"):
        data.from_tfds("depth", "train", 8, value_range=(-1, 4095))
