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
