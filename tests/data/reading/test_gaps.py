"""What takes the place of an image that cannot be read depends on its position alone."""

import numpy as np
import pytest
import tensorflow as tf

from keras_simmim import data
from keras_simmim.data.reading.gaps import CHUNK, without_gaps

pytestmark = pytest.mark.any_backend

COUNT = 3 * CHUNK - 1  # with what lies before and behind, the chunks end with the stream


def stream(failing, first=0, drops=False):
    """Positions from `first` on; those that fail become 1000 + position."""
    seen = []

    @tf.autograph.experimental.do_not_convert
    def load(record, seed):
        fails = tf.reduce_any(seed[1] == tf.constant(failing, tf.int64))
        check = tf.raw_ops.Assert(condition=~fails, data=["broken"])
        with tf.control_dependencies([check]):
            return tf.identity(record), seed[0]

    def substitute(epoch_seed, position):
        seen.append(position)
        return None if drops else (1000 + position, epoch_seed)

    records = tf.data.Dataset.range(first, COUNT).map(
        lambda position: (position, tf.stack([tf.constant(7, tf.int64), position]))
    )
    rows = list(without_gaps(records, load, substitute, COUNT).as_numpy_iterator())
    assert all(epoch_seed == 7 for _, epoch_seed in rows)
    return [int(value) for value, _ in rows], seen


@pytest.mark.long
@pytest.mark.parametrize(
    "failing",
    [
        [-1],
        [0],
        [COUNT - 1],
        [0, 1, 2, 20, 21, COUNT - 2, COUNT - 1],
        list(range(CHUNK - 2, 2 * CHUNK + 3)),
        list(range(COUNT)),
    ],
)
@pytest.mark.parametrize(
    "first",
    [1, pytest.param(0, marks=pytest.mark.long), pytest.param(CHUNK, marks=pytest.mark.long)],
)
def test_every_gap_is_filled_in_its_place(failing, first):
    expected = [1000 + place if place in failing else place for place in range(first, COUNT)]
    values, seen = stream(failing, first)
    assert values == expected
    assert seen == [place for place in failing if place >= first]
    values, _ = stream(failing, first, drops=True)
    assert values == [place for place in expected if place < 1000]


@pytest.mark.long
def test_an_image_is_replaced_by_the_same_one_with_its_own_crop(colored_folder):
    folder = colored_folder(10)
    intact = data.image_folder(folder, 8, 10)
    expected = np.concatenate(list(intact.as_numpy_iterator()))[:, 0, 0, 0]
    (folder / "03.png").write_bytes(b"")
    (folder / "07.png").write_bytes(b"")
    datasets = [data.image_folder(folder, 8, batch_size) for batch_size in (10, 2)]
    first, second = (
        np.concatenate(list(dataset.as_numpy_iterator()))[:, 0, 0, 0] for dataset in datasets
    )
    np.testing.assert_array_equal(first, second)
    was_broken = np.isin(expected, [40, 80])
    np.testing.assert_array_equal(first[~was_broken], expected[~was_broken])
    assert not set(first[was_broken]) & {40, 80}
    assert sorted(datasets[0].broken_files) == [str(folder / f"0{n}.png") for n in (3, 7)]


def test_a_substitute_brings_its_own_label(colored_folder):
    folder = colored_folder(12, classes=("a", "b"))
    for number in (0, 3, 5):
        (folder / "ab"[number % 2] / f"{number:02d}.png").write_bytes(b"no image")
    for images, labels in data.image_folder(folder, 8, 6):
        assert (images.numpy()[:, 0, 0, 0] // 10 % 2 == 1 - labels.numpy()).all()
