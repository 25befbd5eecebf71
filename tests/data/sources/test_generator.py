"""What a function yields comes in an order of its own, or the error says what it yielded."""

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import encoded

from keras_simmim import data

pytestmark = pytest.mark.any_backend

PIXELS = [
    np.random.default_rng(number).integers(0, 256, (20 + number, 30, 3), np.uint8)
    for number in range(11)
]
SAME = iter(PIXELS)
ENCODED = [encoded(pixels, "PNG") for pixels in PIXELS]


def pairs(images):
    return lambda: ((image, number) for number, image in enumerate(images))


def epoch_of(dataset):
    return [[np.asarray(column) for column in tf.nest.flatten(batch)] for batch in dataset]


def labels_of(dataset):
    return [labels.tolist() for _, labels in epoch_of(dataset)]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for columns, others in zip(first, second, strict=True):
        for column, other in zip(columns, others, strict=True):
            np.testing.assert_array_equal(column, other, strict=True)


@pytest.mark.long
@pytest.mark.parametrize("count", [11, None])
def test_epochs_resumed_and_of_arrays_and_of_bytes(count):
    options = {"count": count, "shuffle_buffer": 5, "class_names": list("abcdefghijk")}
    first, second = (
        data.from_generator(pairs(images), 16, 4, **options) for images in (PIXELS, ENCODED)
    )
    assert (first.image_count, first.class_names) == (count, list("abcdefghijk"))
    epochs = [epoch_of(first) for _ in range(2)]
    assert [len(epoch) for epoch in epochs] == [2, 2]
    seen = [labels for _, labels in epochs[0]]
    assert len(set(np.concatenate(seen).tolist())) == 8
    assert not np.array_equal(epochs[0][0][1], epochs[1][0][1])
    for epoch in epochs:
        assert_same(epoch_of(second), epoch)
    resumed = data.from_generator(pairs(PIXELS), 16, 4, epoch=1, **options)
    assert_same(epoch_of(resumed), epochs[1])
    if count:
        rest = data.from_generator(pairs(ENCODED), 16, 4, epoch=1, first_batch=1, **options)
        assert_same(epoch_of(rest), epochs[1][1:])


@pytest.mark.long
def test_evaluation_is_that_of_arrays():
    images = np.stack([pixels[:20] for pixels in PIXELS])
    expected = data.from_arrays(images, image_size=(10, 15), batch_size=4, training=False)
    dataset = data.from_generator(lambda: iter(images), (10, 15), 4, training=False)
    assert_same(epoch_of(dataset), epoch_of(expected))
    gray = data.from_generator(lambda: images[..., 0], 8, 4, limit=6, training=False)
    assert [batch.shape for (batch,) in epoch_of(gray)] == [(4, 8, 8, 1), (2, 8, 8, 1)]


@pytest.mark.long
def test_shards_are_slices_of_the_whole():
    def make(**cut):
        return data.from_generator(
            pairs(ENCODED), 16, 4, count=11, shuffle_buffer=5, drop_remainder=False, **cut
        )

    whole, parts = make(), [make(shard=shard, shards=2) for shard in range(2)]
    for _ in range(2):
        cut = [labels_of(part) for part in parts]
        assert [first + second for first, second in zip(*cut, strict=True)] == labels_of(whole)
    with pytest.raises(ValueError, match="drop_remainder must be True for shards=2 of an unknown"):
        data.from_generator(pairs(ENCODED), 16, 4, training=False, shard=0, shards=2)


@pytest.mark.long
def test_broken_images_are_named_and_replaced():
    images = [b"broken" if number in (3, 7) else each for number, each in enumerate(ENCODED)]
    options = {"count": 11, "shuffle_buffer": 5}
    whole = data.from_generator(pairs(ENCODED), 16, 4, **options)
    dataset, again = (
        data.from_generator(pairs(images), 16, 4, **options, on_error="skip") for _ in range(2)
    )
    for _ in range(2):
        expected, found = epoch_of(whole), epoch_of(dataset)
        assert_same(epoch_of(again), found)
        for (pixels, labels), (others, classes) in zip(expected, found, strict=True):
            intact = ~np.isin(labels, (3, 7))
            np.testing.assert_array_equal(pixels[intact], others[intact])
            np.testing.assert_array_equal(labels[intact], classes[intact])
            assert not np.isin(classes, (3, 7)).any()
    assert sorted(dataset.broken_files) == ["image 3", "image 7"]
    dataset = data.from_generator(pairs(images), 16, 4, training=False, on_error="skip", count=11)
    assert labels_of(dataset) == [[0, 1, 2, 4], [5, 6, 8, 9], [10]]
    for count, match in ((11, "broken image 'image 3'"), (None, "Unknown image file format")):
        dataset = data.from_generator(pairs(images), 16, 4, training=False, count=count)
        with pytest.raises(tf.errors.InvalidArgumentError, match=match):
            list(dataset)


@pytest.mark.long
@pytest.mark.parametrize(
    "options", [{}, {"count": 11}, {"count": 11, "on_error": "skip"}, {"training": False}]
)
def test_an_error_of_the_function_ends_the_iteration(options):
    def failing():
        yield from ENCODED[:2]
        raise KeyError("the data base is gone")

    dataset = data.from_generator(failing, 16, 4, **options)
    with pytest.raises(tf.errors.OpError, match="the data base is gone"):
        list(dataset)
    dataset = data.from_generator(lambda: [*ENCODED[:2], PIXELS[0]], 16, 4, **options)
    with pytest.raises(tf.errors.OpError, match="image 2 must be bytes as the first is"):
        list(dataset)


@pytest.mark.long
@pytest.mark.parametrize("images", [PIXELS, ENCODED])
def test_fewer_images_than_were_stated(images):
    dataset = data.from_generator(lambda: images, 16, 4, count=12, training=False)
    with pytest.raises(tf.errors.OpError, match="must yield count=12 images, got 11"):
        list(dataset)
    dataset = data.from_generator(lambda: images, 16, 4, count=9, training=False)
    assert sum(len(batch) for (batch,) in epoch_of(dataset)) == 9


@pytest.mark.parametrize(
    ("function", "options", "error", "match"),
    [
        (PIXELS, {}, TypeError, "function must return a fresh iterator, got"),
        (list, {}, ValueError, "must yield at least one image, got none"),
        (lambda: SAME, {}, ValueError, "a fresh iterator each time, got the same"),
        (lambda: ["a.png"], {}, TypeError, "image 0 must be the bytes of a file or a uint8 array"),
        (lambda: [PIXELS[0] / 255], {}, TypeError, r"got float64 of the shape \(20, 30, 3\)"),
        (lambda: [(PIXELS[0], "a")], {}, TypeError, "the label of image 0 must be an integer, got"),
        (lambda: [(PIXELS[0], 1, 2)], {}, TypeError, "image 0 must be a pair"),
        (lambda: [b""], {"on_error": "skip"}, ValueError, "on_error='skip' needs count"),
        (lambda: [b""], {"class_names": ["a"]}, ValueError, r"class_names needs labels, got \['a'"),
        (lambda: [b""], {"count": 0}, ValueError, "count must be at least 1, got 0"),
        (lambda: [b""], {"first_batch": 1}, ValueError, "needs a known number of batches"),
    ],
)
def test_what_is_refused(function, options, error, match):
    with pytest.raises(error, match=match):
        data.from_generator(function, 16, **options)
