"""Tar shards give what a folder of the same files gives, to the last bit."""

import json
import logging
import os

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import encoded
from tars import write_tar

from keras_simmim import data
from keras_simmim.data.tables import tar_index as index_module

pytestmark = pytest.mark.any_backend

ENDINGS = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache directory, in which indexes are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "keras_simmim"


def files_of(count=11):
    """Images of several sizes and formats, by their names."""
    generator = np.random.default_rng(0)
    files = {}
    for number in range(count):
        pixels = generator.integers(0, 256, (24 + number, 40 - number, 3), dtype=np.uint8)
        ending = list(ENDINGS)[number % 3]
        files[f"{number:02}.{ending}"] = encoded(pixels, ENDINGS[ending])
    return files


@pytest.fixture
def stored(tmp_path):
    """Eleven images in a folder of two classes, and the same in three tars, in the same order."""
    files = {f"{'ab'[number > 6]}/{name}": c for number, (name, c) in enumerate(files_of().items())}
    for name, contents in files.items():
        place = tmp_path / "folder" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(contents)
    samples = []
    for name, contents in files.items():
        label = {"class": name[0], "number": "ab".index(name[0])}
        parts = {name: contents, f"{name[:-4]}.cls": b"%d\n" % label["number"]}
        samples.append([*parts.items(), (f"{name[:-4]}.json", json.dumps(label).encode())])
    for shard, (start, stop) in enumerate(((0, 5), (5, 6), (6, 11))):
        members = [member for sample in samples[start:stop] for member in sample]
        write_tar(tmp_path / f"{shard}.tar", members)
    return tmp_path / "folder", f"{tmp_path}/{{0..2}}.tar"


def epoch_of(dataset):
    return [[np.asarray(column) for column in tf.nest.flatten(batch)] for batch in dataset]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for columns, others in zip(first, second, strict=True):
        for column, other in zip(columns, others, strict=True):
            np.testing.assert_array_equal(column, other, strict=True)


def assert_like_folder(stored, epochs=2, **options):
    folder, shards = stored
    dataset = data.image_folder(folder, 16, 4, **options)
    other = data.from_webdataset(shards, 16, 4, **options, class_names=["a", "b"])
    assert other.image_count == dataset.image_count
    assert other.class_names == dataset.class_names
    assert int(other.cardinality()) == int(dataset.cardinality())
    for _ in range(epochs):
        assert_same(epoch_of(dataset), epoch_of(other))
    return other


def test_epochs_are_those_of_the_folder(stored):
    dataset = assert_like_folder(stored, epochs=1, seed=5)
    assert dataset.broken_files == {}


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"training": False},
        {"epoch": 1, "first_batch": 1},
        {"limit": 5, "drop_remainder": False},
        {"validation_split": 0.3, "subset": "training"},
        {"validation_split": 0.3, "subset": "validation", "training": False},
        {"channels": 1, "crops": 2, "crop_scale": (0.2, 0.5), "flip": False},
        {"shard": 1, "shards": 2, "drop_remainder": False},
        {"crop": data.RandomCrop((8, 12))},
    ],
)
def test_whatever_is_asked_for(stored, options):
    if "crop" not in options:
        assert_like_folder(stored, **options)
        return
    folder, shards = stored
    datasets = data.image_folder(folder, **options), data.from_webdataset(shards, **options)
    assert_same(*(epoch_of(dataset) for dataset in datasets))


@pytest.mark.long
def test_a_run_goes_on_where_it_stopped(stored):
    _, shards = stored
    whole = data.from_webdataset(shards, 16, 3)
    epochs = [epoch_of(whole) for _ in range(2)]
    rest = data.from_webdataset(shards, 16, 3, epoch=1, first_batch=2)
    assert_same(epoch_of(rest), epochs[1][2:])


@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "names", "classes"),
    [
        ("auto", None, [0] * 7 + [1] * 4),
        ("number", None, [0] * 7 + [1] * 4),
        ("class", ["a", "b"], [0] * 7 + [1] * 4),
        ("nothing", None, None),
        (None, None, None),
    ],
)
def test_labels(stored, label, names, classes):
    dataset = data.from_webdataset(stored[1], 16, training=False, label=label)
    assert dataset.class_names == names
    [columns] = epoch_of(dataset)
    assert [column.tolist() for column in columns[1:]] == ([] if classes is None else [classes])
    assert columns[-1].dtype == (np.uint8 if classes is None else np.int32)


@pytest.mark.long
def test_some_labels_and_names_in_cls(tmp_path):
    image = encoded(np.zeros((9, 9, 3), np.uint8), "PNG")
    members = [("0.png", image), ("0.cls", b"dog"), ("1.png", image), ("2.png", image)]
    write_tar(tmp_path / "0.tar", [*members, ("2.cls", b"7"), ("3.txt", b"no image")])
    dataset = data.from_webdataset(tmp_path / "0.tar", 8, training=False)
    assert dataset.class_names == ["7", "dog"]
    assert epoch_of(dataset)[0][1].tolist() == [1, -1, 0]


@pytest.mark.long
def test_which_file_of_a_sample_is_its_image(tmp_path, caplog):
    image, other = (encoded(np.full((9, 9, 3), value, np.uint8), "PNG") for value in (10, 20))
    write_tar(tmp_path / "0.tar", [("a.b/0.jpg", image), ("a.b/0.mask.png", other)])
    write_tar(tmp_path / "1.tar", [("0.left.png", image), ("0.right.png", other), (".x.png", b"")])
    write_tar(tmp_path / "2.tar", [("0.txt", b""), ("0/1.PNG", image), ("0/2.txt", b"")])

    def values(name, **options):
        dataset = data.from_webdataset(tmp_path / name, 8, training=False, **options)
        return epoch_of(dataset)[0][0][:, 0, 0, 0].tolist()

    assert values("0.tar") == [10]
    assert values("0.tar", image="mask.png") == values("1.tar", image=".right.PNG") == [20]
    with pytest.raises(ValueError, match=r"0.left.png': as much .*'0.right.png'.*image must name"):
        values("1.tar")
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        assert values("2.tar") == [10]
    assert "Left out: 2 samples of" in caplog.text
    with pytest.raises(ValueError, match=r"no image in 1 shards, .*no name's ending is .webp"):
        values("2.tar", image="webp")


@pytest.mark.long
@pytest.mark.parametrize("training", [True, False])
def test_broken_rows_and_shards_cost_themselves_alone(stored, tmp_path, training, caplog):
    folder, shards = stored
    first = (tmp_path / "0.tar").read_bytes()
    start = first.index((folder / "a" / "01.png").read_bytes())
    (tmp_path / "0.tar").write_bytes(first[:start] + b"broken" + first[start + 6 :])
    last = (tmp_path / "2.tar").read_bytes()
    (tmp_path / "2.tar").write_bytes(last[: last.index(b"b/09")])
    (tmp_path / "3.tar").write_bytes(b"this is no tar at all" * 99)
    paths = [shards, tmp_path / "3.tar"]
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = data.from_webdataset(paths, 16, 4, training=training)
        counts = [sum(len(labels) for _, labels in dataset) for _ in range(2)]
    # Of the shard that is cut off, the images in front of the last one remain.
    assert dataset.image_count == 5 + 1 + 2
    assert counts == ([8, 8] if training else [7, 7])
    assert dataset.broken_files.keys() == {
        str(tmp_path / "0.tar" / "a" / "01.png"),
        str(tmp_path / "2.tar"),
        str(tmp_path / "3.tar"),
    }
    assert dataset.broken_files[str(tmp_path / "3.tar")].startswith("it is no tar; 0 images")
    assert "it is cut off" in dataset.broken_files[str(tmp_path / "2.tar")]
    assert len(caplog.records) == 3
    with pytest.raises(ValueError, match=r"broken image '.*2.tar': it is cut off"):
        data.from_webdataset(paths, 16, on_error="raise")


@pytest.mark.long
def test_labels_that_cannot_be_read(tmp_path):
    image = encoded(np.zeros((9, 9, 3), np.uint8), "PNG")
    labels = (b"{", b"[" * 10**5, b"[]", b'{"label": 0.5}', b"\xff", b'{"label": 3}')
    members = [(f"{number}.json", label) for number, label in enumerate(labels)]
    members += [(f"{number}.png", image) for number in range(len(labels))]
    write_tar(tmp_path / "0.tar", [*members, ("6.png", image), ("6.cls", b" ")])
    dataset = data.from_webdataset(tmp_path / "0.tar", 8, label="label", training=False)
    assert epoch_of(dataset)[0][1].tolist() == [3, -1]
    assert len(dataset.broken_files) == 5
    assert all("label cannot be read" in reason for reason in dataset.broken_files.values())
    dataset = data.from_webdataset(tmp_path / "0.tar", 8, training=False)
    assert list(dataset.broken_files) == [str(tmp_path / "0.tar" / "6.png")]


def test_all_shards_broken_or_empty(tmp_path):
    (tmp_path / "0.tar").write_bytes(b"x" * 3000)
    write_tar(tmp_path / "1.tar", [])
    for names, match in (
        ("{0..1}.tar", r"no image in 2 shards; broken are 1, '.*0.tar': it is no tar"),
        ("1.tar", r"no image in 1 shards, first '.*1.tar': no name's ending is an image's"),
    ):
        with pytest.raises(ValueError, match=match):
            data.from_webdataset(f"{tmp_path}/{names}", 16)
    with pytest.raises(FileNotFoundError, match=r"names 1 of 3 files .*2.tar"):
        data.from_webdataset(f"{tmp_path}/{{0..2}}.tar", 16)
    with pytest.raises(TypeError, match="label must be a text or None, got 3"):
        data.from_webdataset(f"{tmp_path}/0.tar", 16, label=3)


@pytest.mark.long
def test_an_index_is_kept_until_the_shard_changes(stored, cache, monkeypatch):
    _, shards = stored
    scanned, scan = [], index_module.tar_samples

    def counted(path, *arguments):
        scanned.append(os.path.basename(path))
        return scan(path, *arguments)

    monkeypatch.setattr(index_module, "tar_samples", counted)

    def opened(**options):
        scanned.clear()
        dataset = data.from_webdataset(shards, 16, 4, **options)
        return epoch_of(dataset), list(scanned)

    whole, first = opened()
    assert first == ["0.tar", "1.tar", "2.tar"]
    again, second = opened()
    assert second == []
    assert_same(whole, again)
    assert opened(label=None)[1] == first
    kept = sorted(cache.rglob("*.npz"))
    assert len(kept) == 6
    # A damaged index, and a shard of another time, are found out.
    for path in kept:
        path.write_bytes(path.read_bytes()[:-30])
    again, third = opened()
    assert third == first
    assert_same(whole, again)
    os.utime(stored[0].parent / "1.tar", ns=(0, 0))
    assert opened()[1] == ["1.tar"]
    # Where nothing can be written, nothing is kept.
    blocked = stored[0].parent / "blocked"
    blocked.write_text("a file")
    assert opened(cache_dir=blocked)[1] == first


@pytest.mark.long
def test_shards_that_vanish_or_shrink_while_they_are_read(stored, tmp_path):
    _, shards = stored
    dataset = data.from_webdataset(shards, 16, 4, training=False)
    (tmp_path / "1.tar").unlink()
    os.truncate(tmp_path / "2.tar", 3000)
    assert sum(len(labels) for _, labels in dataset) == 6
    reasons = {name[len(str(tmp_path)) + 1 :]: why for name, why in dataset.broken_files.items()}
    assert "No such file" in reasons.pop("1.tar/a/05.bmp")
    assert len(reasons) == 4
    assert all("cut off behind the image's start" in why for why in reasons.values())
