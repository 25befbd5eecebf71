"""Rows of parquet files give what a folder of the same files gives, to the last bit."""

import builtins
import importlib.util
import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from encoded_images import encoded

from keras_simmim import data
from keras_simmim.data.tables.parquet_file import ParquetFile
from keras_simmim.data.tables.parquet_table import ParquetTable

pytestmark = pytest.mark.long

FILES = {
    f"{number:02}.{'jpg' if number % 2 else 'png'}": encoded(
        np.random.default_rng(number).integers(0, 256, (24 + number, 40 - number, 3), np.uint8),
        "JPEG" if number % 2 else "PNG",
    )
    for number in range(11)
}
LABELS = [0] * 7 + [1] * 4


def write(path, contents, labels=None, *, kind="struct", group=3, **options):
    """Write images, and labels if there are some, in row groups of so many."""
    images = list(contents)
    if kind == "struct":
        images = [{"bytes": each, "path": f"{n}.png"} for n, each in enumerate(images)]
    columns = {"picture": pa.array(images, kind if isinstance(kind, pa.DataType) else None)}
    if labels is not None:
        columns["kind"] = labels
    pq.write_table(pa.table(columns), path, row_group_size=group, **options)
    return path


@pytest.fixture
def stored(tmp_path):
    """Eleven images in a folder of two classes, and the same in two parquet files."""
    for number, (name, contents) in enumerate(FILES.items()):
        place = tmp_path / "folder" / "ab"[LABELS[number]] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(contents)
    contents = list(FILES.values())
    write(tmp_path / "0.parquet", contents[:5], LABELS[:5])
    write(tmp_path / "1.parquet", contents[5:], LABELS[5:])
    return tmp_path / "folder", f"{tmp_path}/*.parquet"


def epoch_of(dataset):
    return [[np.asarray(column) for column in tf.nest.flatten(batch)] for batch in dataset]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for columns, others in zip(first, second, strict=True):
        for column, other in zip(columns, others, strict=True):
            np.testing.assert_array_equal(column, other, strict=True)


def read(paths, *arguments, **options):
    return data.from_parquet(paths, *arguments, image="picture", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 5, "cache_bytes": 0},
        {"training": False},
        {"epoch": 1, "first_batch": 1},
        {"limit": 5, "drop_remainder": False},
        {"validation_split": 0.3, "subset": "training", "channels": 1},
        {"shard": 0, "shards": 2, "drop_remainder": False},
    ],
)
def test_whatever_is_asked_for(stored, options):
    folder, paths = stored
    folder_options = {name: value for name, value in options.items() if name != "cache_bytes"}
    expected = data.image_folder(folder, 16, 4, **folder_options)
    dataset = read(paths, 16, 4, label="kind", class_names=["a", "b"], **options)
    assert (dataset.image_count, dataset.class_names) == (expected.image_count, ["a", "b"])
    for _ in range(2):
        assert_same(epoch_of(dataset), epoch_of(expected))
    assert dataset.broken_files == {}


@pytest.mark.parametrize(
    "options",
    [
        {"kind": pa.binary()},
        {"kind": pa.large_binary()},
        {"compression": "gzip", "use_dictionary": False},
        {"version": "1.0", "data_page_version": "2.0"},
        {"kind": pa.struct([("bytes", pa.binary())]), "group": 100},
    ],
)
def test_layouts(stored, tmp_path, options):
    contents = list(FILES.values())
    if options.get("kind") == pa.struct([("bytes", pa.binary())]):
        contents = [{"bytes": each} for each in contents]
    path = write(tmp_path / "other.parquet", contents, **options)
    expected = data.image_folder(stored[0], 16, labels=None, training=False)
    assert_same(epoch_of(read(path, 16, training=False)), epoch_of(expected))


def test_labels(tmp_path):
    contents = list(FILES.values())[:4]
    path = write(tmp_path / "0.parquet", contents, ["dog", None, "cat", "dog"])
    dataset = read(path, 8, label="kind", training=False)
    assert dataset.class_names == ["cat", "dog"]
    assert epoch_of(dataset)[0][1].tolist() == [1, -1, 0, 1]
    # As Hugging Face's `datasets` writes the names down.
    stated = {"info": {"features": {"kind": {"names": ["x", "y"], "_type": "ClassLabel"}}}}
    table = pa.table({"picture": contents, "kind": [1, 0, None, 1]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(stated)})
    pq.write_table(table, tmp_path / "1.parquet")
    dataset = read(tmp_path / "1.parquet", 8, label="kind", training=False)
    assert dataset.class_names == ["x", "y"]
    assert epoch_of(dataset)[0][1].tolist() == [1, 0, -1, 1]
    assert len(epoch_of(read(tmp_path / "1.parquet", 8, training=False))[0]) == 1
    path = write(tmp_path / "2.parquet", contents, [0.5, 1, 2, 3])
    with pytest.raises(ValueError, match=r"2.parquet': labels must be integers or names, got 0.5"):
        read(path, 8, label="kind")


@pytest.mark.parametrize("training", [True, False])
def test_broken_rows_groups_and_files_cost_themselves_alone(tmp_path, training, caplog):
    contents = list(FILES.values())
    noise = np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()
    path = write(tmp_path / "0.parquet", [*contents[:3], b"x" + noise, *contents[3:5]])
    stored = path.read_bytes()
    # The pages of the second row group are overwritten, its description is not.
    start = stored.index(noise[:100])
    path.write_bytes(stored[: start - 20] + b"?" * 200 + stored[start + 180 :])
    write(tmp_path / "1.parquet", [contents[0], None, b"broken"])
    (tmp_path / "2.parquet").write_bytes(stored[:-100])
    write(tmp_path / "3.parquet", [{"path": "a.png"}, {"bytes": None}], kind=None)
    pq.write_table(pa.table({"other": [1]}), tmp_path / "4.parquet")
    pq.write_table(pa.table({"picture": [1]}), tmp_path / "5.parquet")
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = read(f"{tmp_path}/*.parquet", 16, 4, training=training, drop_remainder=False)
        counts = [sum(len(batch) for batch in dataset) for _ in range(2)]
    assert dataset.image_count == 11
    assert counts == ([11, 11] if training else [4, 4])
    reasons = {name[len(str(tmp_path)) + 1 :]: why for name, why in dataset.broken_files.items()}
    groups = [f"0.parquet/row {row}" for row in (3, 4, 5)]
    nulls = ["1.parquet/row 1", "1.parquet/row 2", "3.parquet/row 0", "3.parquet/row 1"]
    assert sorted(reasons) == [
        *groups,
        *nulls[:2],
        "2.parquet",
        *nulls[2:],
        "4.parquet",
        "5.parquet",
    ]
    assert "cannot be read" in reasons["2.parquet"]
    assert reasons["3.parquet/row 0"] == "the row holds no bytes, but the path 'a.png'"
    assert reasons["4.parquet"] == "it has no column 'picture', but 'other'"
    assert "must be of bytes, or a struct with 'bytes', and is of int64" in reasons["5.parquet"]
    assert len(caplog.records) == len(reasons)


def test_a_damaged_column_does_not_end_the_process(tmp_path):
    """pyarrow ends it where it is asked what a column states that is neither optional nor not."""
    path = write(tmp_path / "0.parquet", list(FILES.values())[:2])
    stored = path.read_bytes()
    damaged = stored.replace(b"\x25\x02\x18\x05bytes", b"\x25\x29\x18\x05bytes")
    assert damaged != stored
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"all 2 images are broken, .* it cannot be read"):
        read(str(path), 16, 2)


def test_all_broken_or_empty(tmp_path):
    (tmp_path / "0.parquet").write_bytes(b"PAR1" * 9)
    write(tmp_path / "1.parquet", [], kind=pa.binary())
    with pytest.raises(
        ValueError, match=r"no image in 2 files, first .*; '.*0.parquet': it cannot"
    ):
        read(f"{tmp_path}/*.parquet", 8)
    with pytest.raises(FileNotFoundError, match="names 1 of 1 files"):
        read(tmp_path / "2.parquet", 8)
    write(tmp_path / "2.parquet", list(FILES.values()))
    with pytest.raises(ValueError, match=r"it has no column 'kind', but 'picture'"):
        read(tmp_path / "2.parquet", 8, label="kind")
    with pytest.raises(ValueError, match="cache_bytes must be at least 0, got -1"):
        read(tmp_path / "2.parquet", 8, cache_bytes=-1)


def test_row_groups_are_read_once_as_long_as_there_is_room(tmp_path, monkeypatch):
    contents = [np.full(1000, number, np.uint8).tobytes() for number in range(12)]
    path = write(tmp_path / "0.parquet", contents, kind=pa.binary())
    opened, groups, original = ParquetFile(str(path), "picture", None), [], ParquetFile.read

    def counted(file, group):
        groups.append(group.number)
        return original(file, group)

    monkeypatch.setattr(ParquetFile, "read", counted)
    for limit, expected in (
        (10**6, [0, 1, 2, 3]),
        (7000, [0, 1, 2, 3, 0, 1, 2, 3]),
        (0, [0, 1, 2, 3, 0, 1, 2, 3]),
    ):
        groups.clear()
        table = ParquetTable([opened], limit)
        for index in [*range(12), *range(12)]:
            assert table.read(index) == contents[index]
            assert len(table._kept) == 1 or table._size() <= limit
        assert groups == expected


def test_missing_package(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'keras-simmim\[parquet\]'"):
        read(tmp_path / "0.parquet", 8)


def test_hugging_face_is_missing(monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **options):
        if name == "datasets":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'keras-simmim\[huggingface\]'"):
        data.from_huggingface(None, 8)
