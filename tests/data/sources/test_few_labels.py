"""Some labeled images of each class."""

import numpy as np
import pytest

import keras_simmim as ks

pytestmark = pytest.mark.any_backend


@pytest.fixture(scope="module")
def dataset():
    """Twenty images; each is filled with its own number. Every fourth has no label."""
    images = np.broadcast_to(np.arange(20, dtype="uint8")[:, None, None, None], (20, 4, 4, 1))
    labels = np.arange(20) % 4
    labels[labels == 3] = -1
    return ks.data.from_arrays(images, labels, image_size=4, batch_size=8, training=False)


@pytest.mark.parametrize("per_class", [1, 3, 5])
def test_so_many_of_each_class_with_their_own_labels(dataset, per_class):
    images, labels = ks.data.few_labels(dataset, per_class, seed=1)
    assert np.bincount(labels).tolist() == [per_class] * 3
    assert np.array_equal(images[:, 0, 0, 0] % 4, labels)
    assert len(np.unique(images[:, 0, 0, 0])) == 3 * per_class


def test_the_draw_is_a_function_of_the_seed(dataset):
    first, again, other = (ks.data.few_labels(dataset, 2, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_what_cannot_be_drawn_is_refused(dataset):
    with pytest.raises(ValueError, match=r"labels_per_class must be at most 5.*class 0, got 6"):
        ks.data.few_labels(dataset, 6)
    with pytest.raises(ValueError, match="labels_per_class must be at least 1, got 0"):
        ks.data.few_labels(dataset, 0)
    with pytest.raises(ValueError, match="images alone"):
        ks.data.few_labels(dataset.map(lambda images, labels: images), 1)
