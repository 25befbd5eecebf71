"""Texts from lists, tables and folders become batches of ids."""

import numpy as np
import pytest

from keras_simmim import data
from keras_simmim.data.pipeline.origin import origin

pytestmark = pytest.mark.any_backend

WORDS = ["a", "bb", "ccc", "dddd", "", "f", "gg", "hhh", "iiii", "j"]


def letters(text):
    return [ord(letter) - 96 for letter in text]


def all_of(dataset):
    """All rows of a data set, or the rows and the labels."""
    batches = list(dataset.as_numpy_iterator())
    if isinstance(batches[0], tuple):
        return tuple(np.concatenate(column) for column in zip(*batches, strict=True))
    return np.concatenate(batches)


def test_a_list():
    dataset = data.texts(WORDS, letters, None, 3, 4, training=False)
    batches = list(dataset.as_numpy_iterator())
    assert [batch.shape for batch in batches] == [(4, 3), (4, 3), (2, 3)]
    assert batches[0].dtype == np.int32
    assert batches[0].tolist() == [[1, 0, 0], [2, 2, 0], [3, 3, 3], [4, 4, 4]]
    assert batches[1][0].tolist() == [0, 0, 0]
    assert (dataset.truncated, dataset.example_count, dataset.class_names) == (2, 10, None)
    assert dataset.element_spec.shape.as_list() == [None, 3]
    mapped = dataset.map(lambda ids: ids).prefetch(1)
    assert origin(mapped, "tokenizer") == data.CallableTokenizer(letters)
    assert origin(mapped, "truncated") == 2


@pytest.mark.parametrize("kind", [tuple, np.array, iter, lambda x: [w.encode() for w in x]])
def test_other_iterables(kind):
    expected = all_of(data.texts(WORDS, letters, None, 4, 10, training=False))
    np.testing.assert_array_equal(
        all_of(data.texts(kind(WORDS), letters, None, 4, 10, training=False)), expected
    )


def test_labels_stay_beside_their_texts():
    labels = np.array([0, 1, -1, 2, 2, 1, 0, -1, 1, 0])
    ids, found = all_of(data.texts(WORDS, letters, labels, 4, 5, seed=3))
    assert found.dtype == np.int32
    beside = {tuple(row): label for row, label in zip(ids.tolist(), found, strict=True)}
    given = data.CallableTokenizer(letters)(WORDS, 4).tolist()
    assert beside == {tuple(row): label for row, label in zip(given, labels, strict=True)}
    assert found.tolist() != labels.tolist()
    named = data.texts(WORDS, letters, labels, class_names=("x", "y", "z"))
    assert named.class_names == ["x", "y", "z"]


def test_every_epoch_has_an_order_of_its_own_and_a_resumed_run_repeats_it():
    def make(**place):
        return data.texts(WORDS, letters, np.arange(10), 4, 2, seed=1, **place)

    uninterrupted = make()
    epochs = [list(uninterrupted.as_numpy_iterator()) for _ in range(3)]
    orders = [np.concatenate([labels for _, labels in epoch]).tolist() for epoch in epochs]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len(set(map(tuple, orders))) == 3
    for first_batch in (0, 1, 2, 4):
        resumed = make(epoch=1, first_batch=first_batch)
        assert int(resumed.cardinality()) == 5
        for expected in (epochs[1][first_batch:], epochs[2]):
            batches = list(resumed.as_numpy_iterator())
            assert len(batches) == len(expected)
            for batch, wanted in zip(batches, expected, strict=True):
                np.testing.assert_array_equal(batch[0], wanted[0])
                np.testing.assert_array_equal(batch[1], wanted[1])
    other = data.texts(WORDS, letters, np.arange(10), 4, 2, seed=2)
    assert all_of(other)[1].tolist() != orders[0]
    with pytest.raises(ValueError, match="first_batch must be below 5"):
        make(first_batch=5)


def test_incomplete_batches():
    def sizes(batch_size, **options):
        dataset = data.texts(WORDS, letters, None, 4, batch_size, **options)
        found = [len(batch) for batch in dataset]
        assert len(found) == int(dataset.cardinality())
        return found

    assert sizes(4) == [4, 4]
    assert sizes(4, drop_remainder=False) == [4, 4, 2]
    assert sizes(4, training=False) == [4, 4, 2]
    assert sizes(16) == [10]
    with pytest.raises(ValueError, match="drop_remainder=True would drop all 10 texts"):
        sizes(16, drop_remainder=True)


@pytest.fixture
def table(tmp_path):
    def write(*lines, name="table.csv", **options):
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8", **options)
        return tmp_path / name

    return write


def test_a_table(table):
    path = table("id,text,label", '1,"a,b",1', '2,"x ""y""\nz",0', "3,,-1", "4,c,", "5,d,1.0")
    seen = []

    def note(text):
        seen.append(text)
        return [1] * len(text)

    dataset = data.texts(path, note, column="text", label_column="label", training=False)
    assert seen == ["a,b", 'x "y"\nz', "", "c", "d"]
    assert all_of(dataset)[1].tolist() == [1, 0, -1, -1, 1]
    assert dataset.class_names is None
    assert all_of(data.texts(str(path), note, column="text")).shape == (5, 128)


def test_names_of_classes_in_a_table(table):
    lines = ("text\tlabel", "a\tgood", "b\tbad", "c\t", "d\tgood")
    options = {"column": "text", "label_column": "label", "training": False}
    for name, mark in (("t.tsv", "\t"), ("t.csv", ",")):
        path = table(*(line.replace("\t", mark) for line in lines), name=name)
        dataset = data.texts(path, letters, **options)
        assert dataset.class_names == ["bad", "good"]
        assert all_of(dataset)[1].tolist() == [1, 0, -1, 1]
        dataset = data.texts(path, letters, class_names=["good", "bad", "so so"], **options)
        assert dataset.class_names == ["good", "bad", "so so"]
        assert all_of(dataset)[1].tolist() == [0, 1, -1, 0]
    stars = table("text,label", "a,5", "b,1")
    dataset = data.texts(stars, letters, class_names=["1", "5"], **options)
    assert all_of(dataset)[1].tolist() == [1, 0]


def test_a_folder(tmp_path):
    for name, text in (("2", "b"), ("10", "a"), ("3", "\ufeffc")):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "notes.md").write_text("d")
    (tmp_path / ".hidden.txt").write_text("e")
    dataset = data.texts(tmp_path, letters, length=2, training=False)
    assert all_of(dataset).tolist() == [[1, 0], [2, 0], [3, 0]]
    assert dataset.file_paths == [str(tmp_path / f"{name}.txt") for name in (10, 2, 3)]
    assert all_of(data.texts(tmp_path, letters, [1, 0, 1], training=False))[1].tolist() == [1, 0, 1]


def test_folders_as_classes(tmp_path):
    for name, text in (("pos/1", "b"), ("neg/deep/2", "a"), ("pos/3", "c")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(text)
    dataset = data.texts(tmp_path, letters, length=1, training=False)
    ids, labels = all_of(dataset)
    assert (ids[:, 0].tolist(), labels.tolist()) == ([1, 2, 3], [0, 1, 1])
    assert dataset.class_names == ["neg", "pos"]
    dataset = data.texts(tmp_path, letters, class_names=["pos", "x", "neg"], training=False)
    assert all_of(dataset)[1].tolist() == [2, 0, 0]
    assert all_of(data.texts(tmp_path, letters, None, 1, training=False)).tolist() == [
        [1],
        [2],
        [3],
    ]
    with pytest.raises(ValueError, match=r"must hold all folders .* got \['pos'\] without"):
        data.texts(tmp_path, letters, class_names=["pos"])
    (tmp_path / "4.txt").write_text("d")
    with pytest.raises(ValueError, match="holds 1 files beside its sub-folders and 3 in them"):
        data.texts(tmp_path, letters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": []}, "texts must be at least one, got none"),
        ({"texts": 3}, "got int 3"),
        ({"texts": ["a", 3]}, "number 1 is 3"),
        ({"tokenizer": None}, "tokenizer must be given, got None"),
        ({"tokenizer": "bert"}, "tokenizer must be a ks.data.Tokenizer"),
        ({"labels": [1]}, r"labels must be 10 integers, .* got int64 of shape \(1,\)"),
        ({"labels": ["a"] * 10}, r"labels must be 10 integers, one for each text, got <U1"),
        ({"labels": [0.5] * 10}, "labels must be 10 integers, .* got float64"),
        ({"labels": [-2] * 10}, "labels must be at least 0, or -1 .* got -2"),
        ({"labels": "folders"}, "labels must be 'auto', None or integers, got 'folders'"),
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"epoch": -1}, "epoch must be at least 0"),
        ({"column": "text"}, "column must be the name .* and only there; got column='text'"),
        ({"label_column": "y"}, "label_column must name a column of a CSV file, .* got 'y'"),
        ({"class_names": ["a"]}, r"class_names need labels, got \['a'\] without any"),
        ({"labels": [1] * 10, "class_names": ["a"]}, "labels must be below 1, .* got 1"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.texts(**{"texts": WORDS, "tokenizer": letters, **arguments})


@pytest.mark.parametrize(
    ("lines", "arguments", "message"),
    [
        (["text", "a"], {}, "column must be the name of the texts' column .* got column=None"),
        (["text", "a"], {"column": "body"}, r"column must be one of .* \['text'\], got 'body'"),
        (["text", "a"], {"column": "text", "label_column": "y"}, "label_column must be one of"),
        (["text", "a"], {"column": "text", "label_column": "text", "labels": [1]}, "beside it"),
        ([], {"column": "text"}, r"column must be one of the columns of .*, \[\], got 'text'"),
        (["text"], {"column": "text"}, "texts must be at least one, got none"),
        (["x,text", "1,a", "2"], {"column": "text"}, "2 columns in every line; line 3 .* fewer"),
        (["x,text", "0.5,a"], {"column": "text", "label_column": "x"}, "whole numbers or names"),
        (["x,text", "nan,a"], {"column": "text", "label_column": "x"}, "whole numbers or names"),
    ],
)
def test_tables_that_do_not_fit_are_refused(table, lines, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.texts(table(*lines), letters, **arguments)


def test_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"found nothing at 'so good'\. A single text goes"):
        data.texts("so good", letters)
    with pytest.raises(ValueError, match=r"\.txt files, found 0 files"):
        data.texts(tmp_path, letters)
    (tmp_path / "latin.txt").write_bytes("ü".encode("latin-1"))
    with pytest.raises(ValueError, match=r"files in UTF-8, '.*latin\.txt' is not"):
        data.texts(tmp_path, letters)
    with pytest.raises(ValueError, match=r"CSV file in UTF-8, '.*latin\.txt' is not"):
        data.texts(tmp_path / "latin.txt", letters, column="text")
