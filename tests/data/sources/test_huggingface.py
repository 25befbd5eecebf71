"""Rows of a data set of Hugging Face's give what a folder of the same files gives."""

import datasets
import numpy as np
import pytest
import tensorflow as tf
from encoded_images import encoded

from keras_simmim import data

pytestmark = pytest.mark.long

LABELS = [0] * 7 + [1] * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven images in a folder of two classes."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for number, label in enumerate(LABELS):
        pixels = generator.integers(0, 256, (24 + number, 40 - number, 3), dtype=np.uint8)
        (folder / "ab"[label]).mkdir(exist_ok=True)
        kind = "JPEG" if number % 2 else "PNG"
        (folder / "ab"[label] / f"{number:02}.{kind.lower()}").write_bytes(encoded(pixels, kind))
    return folder


def rows(folder, **columns):
    """The images as a data set, with their labels unless there are other columns."""
    contents = [path.read_bytes() for path in sorted(folder.rglob("*.*"))]
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    values = {"image": [{"bytes": each, "path": None} for each in contents], "label": LABELS}
    if columns:
        features, values = {"image": datasets.Image()}, {"image": values["image"], **columns}
        made = datasets.Dataset.from_dict(values)
        return made.cast_column("image", datasets.Image())
    return datasets.Dataset.from_dict(values, features=datasets.Features(features))


def epoch_of(dataset):
    return [[np.asarray(column) for column in tf.nest.flatten(batch)] for batch in dataset]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for columns, others in zip(first, second, strict=True):
        for column, other in zip(columns, others, strict=True):
            np.testing.assert_array_equal(column, other, strict=True)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 5},
        {"training": False},
        {"epoch": 1, "first_batch": 1},
        {"limit": 5, "drop_remainder": False},
        {"validation_split": 0.3, "subset": "training", "channels": 1},
        {"shard": 0, "shards": 2, "drop_remainder": False},
    ],
)
def test_whatever_is_asked_for(folder, options):
    expected = data.image_folder(folder, 16, 4, **options)
    dataset = data.from_huggingface(rows(folder), 16, 4, **options)
    assert (dataset.image_count, dataset.class_names) == (expected.image_count, ["a", "b"])
    for _ in range(2):
        assert_same(epoch_of(dataset), epoch_of(expected))


def test_chosen_rows_formats_and_files_on_a_disk(folder, tmp_path):
    expected = data.image_folder(folder, 16, training=False)
    whole = epoch_of(expected)
    saved = rows(folder)
    saved.save_to_disk(tmp_path / "saved")
    for made in (datasets.load_from_disk(tmp_path / "saved"), saved.with_format("numpy")):
        assert_same(epoch_of(data.from_huggingface(made, 16, training=False)), whole)
    chosen = saved.select([9, 2, 5])
    [(images, labels)] = epoch_of(data.from_huggingface(chosen, 16, training=False))
    np.testing.assert_array_equal(images, whole[0][0][[9, 2, 5]])
    assert labels.tolist() == [1, 0, 0]
    named = datasets.load_dataset(
        "imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "cache")
    )
    dataset = data.from_huggingface(named, 16, training=False)
    assert dataset.class_names == ["a", "b"]
    assert_same(epoch_of(dataset), whole)


def test_labels_of_other_kinds(folder):
    for label, expected in (("name", [1, 0, -1] + [0] * 8), ("number", [4] * 11), (None, None)):
        made = rows(folder, name=["y", "x", None] + ["x"] * 8, number=[4] * 11)
        dataset = data.from_huggingface(made, 8, label=label, training=False)
        [columns] = epoch_of(dataset)
        assert [c.tolist() for c in columns[1:]] == ([expected] if expected else [])
        assert dataset.class_names == (["x", "y"] if label == "name" else None)
    assert len(epoch_of(data.from_huggingface(made, 8, training=False))[0]) == 1
    # As splits to be tested on are published.
    none = rows(folder).map(lambda row: {"label": None})
    assert len(epoch_of(data.from_huggingface(none, 8, training=False))[0]) == 1


@pytest.mark.parametrize("training", [True, False])
def test_broken_rows_are_named(folder, training):
    contents = [path.read_bytes() for path in sorted(folder.rglob("*.*"))]
    images = [{"bytes": each, "path": None} for each in contents]
    images[2] = {"bytes": b"broken", "path": None}
    images[4] = {"bytes": None, "path": str(folder / "none.png")}
    images[6] = {"bytes": None, "path": str(next(folder.rglob("*.png")))}
    images[8] = None
    made = datasets.Dataset.from_dict({"image": images}).cast_column("image", datasets.Image())
    dataset = data.from_huggingface(made, 16, 11, training=training)
    assert [len(batch) for batch in dataset] == [11 if training else 8]
    assert sorted(dataset.broken_files) == ["row 2", "row 4", "row 8"]
    assert "No such file" in dataset.broken_files["row 4"]


def test_what_is_refused(folder):
    made = rows(folder)
    for given, options, error, match in (
        (
            datasets.DatasetDict({"train": made}),
            {},
            TypeError,
            "a DatasetDict, whose splits .*'train'",
        ),
        (made.to_iterable_dataset(), {}, TypeError, "one split, got a IterableDataset"),
        ([1], {}, TypeError, "must be a datasets.Dataset, one split, got a list"),
        (
            made,
            {"image": "img"},
            ValueError,
            "image must be one of the columns 'image', 'label', got",
        ),
        (made, {"label": "class"}, ValueError, "label must be one of the columns .* got 'class'"),
        (
            made,
            {"image": "label"},
            ValueError,
            "image must be a column of images or bytes, got Class",
        ),
        (made.select([]), {}, ValueError, "dataset holds no rows"),
    ):
        with pytest.raises(error, match=match):
            data.from_huggingface(given, 8, **options)
