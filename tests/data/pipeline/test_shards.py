"""Each of several processes reads its slice of every batch, and together they read the whole."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import keras_simmim as ks
from keras_simmim import data
from keras_simmim.backend import processes
from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.origin import origin
from keras_simmim.data.pipeline.shard import Shard
from keras_simmim.data.sources import tfds

pytestmark = pytest.mark.any_backend


def columns_of(batch):
    return [np.asarray(column) for column in tf.nest.flatten(batch)]


def epoch_of(dataset):
    return [columns_of(batch) for batch in dataset.as_numpy_iterator()]


def slices(size, shards):
    """The bounds of the slices of a batch of `size` examples."""
    return [(shard * size // shards, (shard + 1) * size // shards) for shard in range(shards)]


def assert_slices(parts, whole):
    """The batches of the shards are the slices of the whole ones, to the last bit."""
    assert [len(part) for part in parts] == [len(whole)] * len(parts)
    for batch, *cut in zip(whole, *parts, strict=True):
        for (start, stop), columns in zip(slices(len(batch[0]), len(parts)), cut, strict=True):
            for column, all_of in zip(columns, batch, strict=True):
                np.testing.assert_array_equal(column, all_of[start:stop])


def assert_shards(make, shards, epochs=1):
    """All shards of what `make` makes, as many epochs of each, are slices of the whole."""
    whole = make(shard=0, shards=1)
    parts = [make(shard=shard, shards=shards) for shard in range(shards)]
    for name in ("image_count", "example_count", "class_names"):
        assert {getattr(part, name, None) for part in parts} == {getattr(whole, name, None)}
    assert {int(part.cardinality()) for part in parts} == {int(whole.cardinality())}
    assert [(part.shard_index, part.shards) for part in parts] == [
        (i, shards) for i in range(shards)
    ]
    for _ in range(epochs):
        assert_slices([epoch_of(part) for part in parts], epoch_of(whole))


@given(
    shards=st.integers(1, 5),
    size=st.integers(1, 4),
    count=st.integers(1, 40),
    drops=st.booleans(),
)
def test_parts_are_found_without_reading(shards, size, count, drops):
    batch_size = shards * size
    kept = count - count % batch_size if drops else count
    positions = [
        np.arange(start, min(start + batch_size, kept)) for start in range(0, kept, batch_size)
    ]
    for index in range(shards):
        part = EpochPart(
            shard=Shard(index, shards), batch_size=batch_size, count=count, drops_remainder=drops
        )
        wanted = [batch[slice(*slices(len(batch), shards)[index])] for batch in positions]
        found = part.of_order(tf.range(count, dtype=tf.int64))
        np.testing.assert_array_equal(found, np.concatenate([[], *wanted]))
        assert part.length == len(found)
        if kept:
            batches = part.batched(tf.data.Dataset.from_tensor_slices(found))
            assert [list(batch) for batch in batches.as_numpy_iterator()] == [
                list(w) for w in wanted
            ]


@given(
    shards=st.integers(1, 4), size=st.integers(1, 3), count=st.integers(1, 25), drops=st.booleans()
)
def test_a_stream_is_cut_as_an_order_is(shards, size, count, drops):
    records = tf.data.Dataset.range(count).map(lambda number: {"image": number})
    for index, is_known in itertools.product(range(shards), (True, False)):
        if not is_known and not drops:
            continue
        known, part = (
            EpochPart(
                shard=Shard(index, shards),
                batch_size=shards * size,
                count=given_count,
                drops_remainder=drops,
            )
            for given_count in (count, count if is_known else None)
        )
        found = [int(record["image"]) for record in part.of_stream(records)]
        wanted = known.of_order(tf.range(count, dtype=tf.int64)).numpy().tolist()
        # One process leaves it to `batched` to drop what is incomplete.
        assert found[: len(wanted)] == wanted
        assert shards == 1 or len(found) == len(wanted)
        numbers = tf.range(len(wanted), dtype=tf.int64)
        np.testing.assert_array_equal(part.position(numbers), wanted)


@pytest.mark.long
@pytest.mark.parametrize("shards", [2, 4])
def test_several_crops_of_an_epoch_that_begins_in_its_middle(textured_images, shards):
    def make(**cut):
        return data.from_arrays(
            textured_images,
            np.arange(10),
            16,
            4,
            crops=2,
            epoch=1,
            first_batch=1,
            drop_remainder=False,
            **cut,
        )

    assert_shards(make, shards, epochs=2)


@pytest.mark.long
@pytest.mark.parametrize("options", [{"training": False}, {"drop_remainder": True}, {}])
def test_epochs_of_arrays(textured_images, options):
    def make(**cut):
        return data.from_arrays(textured_images, image_size=16, batch_size=8, **options, **cut)

    assert_shards(make, 8, epochs=2)


@pytest.mark.long
def test_boxes_of_a_batch_smaller_than_the_number_of_shards(textured_images):
    boxes = {"boxes": np.tile([2.0, 3, 9, 11], (3, 1, 1)), "labels": np.arange(3)[:, None]}

    def make(**cut):
        return data.from_arrays(
            textured_images[:3], batch_size=4, boxes=boxes, training=False, **cut
        )

    assert_shards(make, 4)
    ((images, objects),) = make(shard=0, shards=4)
    assert (images.shape, objects["boxes"].shape) == ((0, 24, 32, 3), (0, 1, 4))


@pytest.mark.parametrize(
    ("count", "batch_size", "shards", "options"),
    [
        (11, 6, 3, {"drop_remainder": False, "epoch": 1}),
        pytest.param(11, 4, 2, {"first_batch": 1}, marks=pytest.mark.long),
        pytest.param(9, 4, 4, {"training": False}, marks=pytest.mark.long),
        (3, 4, 4, {}),
    ],
)
def test_texts(count, batch_size, shards, options):
    texts = ["abcdefghijklm"[:number] for number in range(1, count + 1)]

    def make(**cut):
        return data.texts(
            texts,
            lambda text: [ord(c) for c in text],
            range(count),
            4,
            batch_size,
            **options,
            **cut,
        )

    assert_shards(make, shards, epochs=2)
    assert make(shard=0, shards=shards).example_count == count


@pytest.mark.long
def test_histories():
    users = np.repeat(np.arange(7), 3)

    def make(**cut):
        return data.histories(
            users, np.arange(21) + 1, np.arange(21), 3, 4, drop_remainder=False, **cut
        )

    assert_shards(make, 2, epochs=2)
    # Three rows are left for four: the first gets none.
    assert [len(rows) for rows in make(shard=0, shards=4)] == [1, 0]


@pytest.mark.long
def test_files_of_other_shards_are_not_opened(colored_folder):
    folder = colored_folder(10)

    def make(**cut):
        return data.image_folder(folder, 8, 4, on_error="raise", drop_remainder=False, **cut)

    whole, parts = make(shard=0, shards=1), [make(shard=shard, shards=2) for shard in range(2)]
    batches = epoch_of(whole)
    contents = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    seen = []
    for shard, part in enumerate(parts):
        own = [batch[slice(*slices(len(batch), 2)[shard])] for (batch,) in batches]
        colors = np.concatenate(own)[:, 0, 0, 0]
        for number, (path, content) in enumerate(contents.items()):
            path.write_bytes(content if 10 * (number + 1) in colors else b"broken")
        found = epoch_of(part)
        assert len(found) == len(own) == 3
        for (batch,), wanted in zip(found, own, strict=True):
            np.testing.assert_array_equal(batch, wanted)
        seen += colors.tolist()
    assert sorted(seen) == list(range(10, 101, 10))


@pytest.mark.long
def test_what_takes_the_place_of_a_broken_file_is_the_same(colored_folder):
    folder = colored_folder(10)
    for name in ("00.png", "03.png", "08.png"):
        (folder / name).write_bytes(b"broken")

    def make(**cut):
        return data.image_folder(folder, 8, 4, crops=2, **cut)

    assert_shards(make, 2, epochs=2)


@pytest.mark.long
def test_a_broken_file_leaves_its_place_empty_in_evaluation(colored_folder):
    folder = colored_folder(9)
    for name in ("01.png", "02.png", "03.png"):
        (folder / name).write_bytes(b"broken")
    parts = [
        data.image_folder(folder, 8, 4, training=False, shard=shard, shards=2) for shard in (0, 1)
    ]
    found = [[batch[:, 0, 0, 0].tolist() for (batch,) in epoch_of(part)] for part in parts]
    assert found == [[[10], [50, 60], []], [[], [70, 80], [90]]]
    assert [int(part.cardinality()) for part in parts] == [3, 3]
    assert [len(part.broken_files) for part in parts] == [1, 2]


@pytest.mark.long
@pytest.mark.parametrize(
    ("is_known", "options"),
    [(False, {}), (True, {"drop_remainder": False}), (True, {"training": False})],
)
def test_a_stream_of_tfds(textured_images, monkeypatch, is_known, options):
    encoded = [tf.io.encode_png(image).numpy() for image in textured_images]
    stored = tf.data.Dataset.from_tensor_slices({"image": encoded, "label": np.arange(10)})
    if not is_known:
        stored = stored.filter(lambda _: True)
    monkeypatch.setattr(tfds, "_prepared", lambda *_: (stored, None, True))

    def make(**cut):
        return data.from_tfds("any", "train", 16, 4, shuffle_buffer=5, **options, **cut)

    assert_shards(make, 2, epochs=2)
    if not is_known:
        with pytest.raises(ValueError, match="drop_remainder must be True for shards=2 of an unk"):
            data.from_tfds("any", "train", 16, 4, training=False, shard=0, shards=2)


def rows(**options):
    return data.texts(["a", "b", "c", "d"], lambda text: [ord(text)], None, 1, 4, **options)


def test_the_part_of_this_process_is_the_default_in_training_alone(monkeypatch):
    assert (rows().shard_index, rows().shards) == (0, 1)
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "index", lambda: 1)
    part = rows()
    assert (part.shard_index, part.shards, part.example_count) == (1, 2, 4)
    assert_slices(
        [epoch_of(rows(shard=0, shards=2)), epoch_of(part)], epoch_of(rows(shard=0, shards=1))
    )
    whole = rows(training=False)
    assert (whole.shard_index, whole.shards, [len(ids) for ids in whole]) == (0, 1, [4])
    monkeypatch.setattr(processes, "count", lambda: 3)
    with pytest.raises(ValueError, match=r"a multiple of 3, .* the 3 processes .* got 4"):
        rows()


def test_a_data_set_tells_its_shard(textured_images):
    dataset = data.metered(rows(shard=1, shards=2))
    assert (dataset.shard_index, dataset.shards) == (1, 2)
    mapped = dataset.map(lambda ids: ids).prefetch(1)
    assert (origin(mapped, "shard_index"), origin(mapped, "shards")) == (1, 2)
    # TensorFlow's own method keeps its name.
    assert int(dataset.shard(2, 0).cardinality()) == 1
    list(dataset)
    # A meter counts the examples of all shards.
    assert dataset.meter.images == 4


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"shard": 0, "shards": 3}, "batch_size must be a multiple of 3, .*shards=3.*, got 4"),
        ({"shard": 2, "shards": 2}, "shard must be from 0 to 1, below shards=2, got 2"),
        ({"shard": -1, "shards": 2}, "shard must be from 0 to 1, below shards=2, got -1"),
        ({"shard": 0, "shards": 0}, "shards must be at least 1, got 0"),
        ({"shard": 1}, "shards must be given with shard, got shard=1 alone"),
        ({"shards": 2}, "shard must be given with shards, got shards=2 alone"),
        ({"shard": 0, "shards": 2.0}, "shards must be an integer, got 2.0"),
        ({"shard": True, "shards": 2}, "shard must be an integer, got True"),
    ],
)
def test_what_is_refused(textured_images, given, match):
    with pytest.raises(ValueError, match=match):
        rows(**given)
    with pytest.raises(ValueError, match=match):
        data.from_arrays(textured_images, batch_size=4, **given)


class Stop(keras.callbacks.Callback):
    """Ends a run by an error after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if self.steps == 0:
            raise InterruptedError


@pytest.mark.long
def test_a_run_on_a_shard_goes_on_in_the_middle_of_an_epoch(tmp_path):
    generator = np.random.default_rng(0)
    # The last batch is of one image, and so this shard's is empty.
    images = generator.integers(0, 256, (17, 16, 24, 3), dtype=np.uint8)

    def make(**place):
        return data.metered(
            data.from_arrays(images, batch_size=8, drop_remainder=False, shard=0, shards=2, **place)
        )

    def new():
        keras.utils.set_random_seed(0)
        backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
        model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1), mask_on="pixels")
        model.compile(keras.optimizers.SGD(0.1))
        return model

    whole = new()
    expected = whole.fit(make(), epochs=2, verbose=0).history["loss"]
    run = ks.pretraining.Run(tmp_path, {"seed": 0})
    with pytest.raises(InterruptedError):
        run.fit(new(), make(), epochs=2, save_every=1, others=[Stop(5)])
    found = ks.pretraining.Run(tmp_path, {"seed": 0}).interrupted()
    assert (found.epoch, found.batch) == (1, 1)
    rest = make(epoch=found.epoch, first_batch=found.batch)
    history = found.model.fit(rest, epochs=2, initial_epoch=1, verbose=0).history["loss"]
    np.testing.assert_array_equal(history, expected[1:])
