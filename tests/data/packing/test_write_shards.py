"""A folder packed once: the same images, labels and names, also if a kill came between."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from encoded_images import encoded
from PIL import Image

import keras_simmim as ks
from keras_simmim import data

pytestmark = [pytest.mark.any_backend, pytest.mark.long]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep indexes out of the user's cache directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def smooth(height, width, seed=0):
    """A picture that does not change by much where it is encoded by JPEG."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


@pytest.fixture
def folder(tmp_path):
    """Nine images in two folders: JPEGs, PNGs and one that is broken."""
    for number in range(9):
        place = (
            tmp_path
            / "folder"
            / "ab"[number > 4]
            / f"{number}.of.9.{'jpg' if number % 2 else 'png'}"
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        kind = "JPEG" if number % 2 else "PNG"
        place.write_bytes(encoded(smooth(60 + number, 90, number), kind))
    (tmp_path / "folder" / "a" / "3.of.9.jpg").write_bytes(b"broken")
    return tmp_path / "folder"


def members(output):
    """All files in all shards, in order."""
    found = []
    for path in sorted(output.glob("*.tar")):
        with tarfile.open(path) as archive:
            found += [(m.name, archive.extractfile(m).read()) for m in archive]
    return found


def test_files_as_they_are_with_labels_and_names(folder, tmp_path):
    written = data.write_shards(folder, tmp_path / "shards", images_per_shard=3)
    assert [Path(path).name for path in written.paths] == [f"shard-0000{n}.tar" for n in range(3)]
    assert (written.image_count, written.class_names) == (8, ["a", "b"])
    broken = str(folder / "a" / "3.of.9.jpg")
    assert list(written.broken_files) == [broken]
    files = sorted(path for path in folder.rglob("*.*") if str(path) != broken)
    found = members(tmp_path / "shards")
    assert [contents for name, contents in found[::2]] == [path.read_bytes() for path in files]
    assert [contents for _, contents in found[1::2]] == [b"0"] * 4 + [b"1"] * 4
    assert [name for name, _ in found[:2]] == ["a/00000000-0_of_9.png", "a/00000000-0_of_9.cls"]
    dataset = data.from_webdataset(f"{tmp_path}/shards/*.tar", 16, 4, training=False)
    os.remove(broken)
    expected = data.image_folder(folder, 16, 4, training=False)
    assert dataset.class_names == expected.class_names
    for (images, labels), (others, classes) in zip(dataset, expected, strict=True):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, classes)


@pytest.mark.parametrize("lossless", [False, True])
def test_resized_by_the_shorter_side(folder, tmp_path, lossless):
    (folder / "a" / "4.of.9.png").write_bytes(encoded(smooth(20, 31), "PNG"))
    data.write_shards(folder, tmp_path / "shards", 24, lossless=lossless, labels=None)
    found = members(tmp_path / "shards")
    assert len(found) == 8
    for name, contents in found:
        image = Image.open(io.BytesIO(contents))
        number = int(name.split("/")[1].split("-")[0])
        if number == 4:
            # Smaller ones stay as they are.
            assert contents == (folder / "a" / "4.of.9.png").read_bytes()
            continue
        height = 60 + number
        assert image.size == (max(24, round(90 * 24 / height)), 24)
        assert image.format == ("PNG" if lossless else "JPEG")
        [path] = folder.rglob(f"{number}.of.9.*")
        expected = Image.open(path).resize(image.size, Image.Resampling.LANCZOS)
        difference = np.asarray(image).astype(int) - np.asarray(expected)
        # Small JPEGs lose much of their colors.
        assert np.abs(difference).mean() < (1 if lossless else 8)
        if lossless and number % 2 == 0:
            assert not difference.any()


def test_what_is_seen_is_packed(tmp_path):
    """Orientation, CMYK, alpha, 16 bits and gray, large enough to be decoded at a part."""
    picture = smooth(400, 600)
    folder = tmp_path / "folder"
    folder.mkdir()
    exif = Image.Exif()
    for turn in range(1, 9):
        exif[0x0112] = turn
        (folder / f"{turn}.jpg").write_bytes(encoded(picture, quality=95, exif=exif))
    (folder / "alpha.png").write_bytes(encoded(np.dstack([picture, picture[..., 0]]), "PNG"))
    (folder / "cmyk.jpg").write_bytes(encoded(picture, mode="CMYK", quality=95))
    (folder / "deep.png").write_bytes(encoded(picture[..., 0].astype(np.uint16) * 257, "PNG"))
    (folder / "gray.jpg").write_bytes(encoded(picture, mode="L", quality=95))
    data.write_shards(folder, tmp_path / "shards", 40, lossless=True)
    whole = data.image_folder(folder, crop=data.WholeImage((40, 60)), training=False)
    packed = data.from_webdataset(
        f"{tmp_path}/shards/*.tar", crop=data.WholeImage((40, 60)), training=False
    )
    assert packed.image_count == 12
    difference = next(iter(whole)).numpy().astype(int) - next(iter(packed)).numpy()
    # Another filter, and JPEGs decoded at a quarter.
    assert np.abs(difference).mean(axis=(1, 2, 3)).max() < 2
    sizes = [Image.open(io.BytesIO(contents)).size for _, contents in members(tmp_path / "shards")]
    assert sizes[:8] == [(60, 40)] * 4 + [(40, 60)] * 4


def test_shards_by_bytes_and_given_labels(folder, tmp_path):
    written = data.write_shards(
        folder, tmp_path / "shards", labels=range(9), megabytes_per_shard=0.02, workers=1
    )
    sizes = [os.path.getsize(path) for path in written.paths]
    assert len(sizes) > 1
    assert all(20_000 <= size < 60_000 for size in sizes[:-1])
    dataset = data.from_webdataset(written.paths, 16, training=False)
    assert next(iter(dataset))[1].numpy().tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    assert dataset.class_names is None


def test_the_same_call_again_and_another_one(folder, tmp_path):
    output = tmp_path / "shards"
    written = data.write_shards(folder, output, 24, images_per_shard=3)
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    assert data.write_shards(folder, output, 24, images_per_shard=3) == written
    assert {path: path.stat().st_mtime_ns for path in output.iterdir()} == before
    for options, changed in (({"quality": 80}, "quality"), ({"images_per_shard": 2}, "images")):
        with pytest.raises(
            ValueError, match=f"holds shards of another call, .* in {changed}: take"
        ):
            data.write_shards(folder, output, 24, **{"images_per_shard": 3, **options})
    (folder / "b" / "9.png").write_bytes(encoded(smooth(50, 50), "PNG"))
    with pytest.raises(ValueError, match="which differs in files"):
        data.write_shards(folder, output, 24, images_per_shard=3)
    (output / "shards.json").write_text("{")
    with pytest.raises(ValueError, match=r"shards.json' is no record of shards"):
        data.write_shards(folder, output, 24)
    with pytest.raises(ValueError, match=r"shards.json' is no record of shards"):
        data.from_webdataset(f"{output}/*.tar", 16)
    (output / "shards.json").unlink()
    with pytest.raises(ValueError, match=r"holds other shards, such as 'shard-00000.tar'"):
        data.write_shards(folder, output, 24)


KILLED = """
import os, signal, sys
from keras_simmim import data
from keras_simmim.data.packing import shard_writer

add, seen = shard_writer.ShardWriter.add, []
def dying(writer, *arguments):
    add(writer, *arguments)
    seen.append(1)
    if len(seen) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
shard_writer.ShardWriter.add = dying
print(data.write_shards("folder", "killed", 24, images_per_shard=2).image_count)
"""


def test_a_killed_call_leaves_whole_shards_and_goes_on(folder, tmp_path, monkeypatch):
    environment = os.environ | {"PYTHONPATH": str(Path(ks.__file__).parents[1])}
    codes, left = [], []
    for images in (3, 4, 99):
        command = [sys.executable, "-c", KILLED, str(images)]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
        codes.append(result.returncode)
        left.append(len(list((tmp_path / "killed").glob("*.tar"))))
        if result.returncode:
            count = data.from_webdataset(f"{tmp_path}/killed/*.tar", 8, training=False).image_count
            assert count == 2 * left[-1]
            assert list((tmp_path / "killed").glob(".*.part"))
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0], result.stderr
    assert left == [1, 2, 4]
    assert result.stdout == b"8\n"
    monkeypatch.chdir(tmp_path)
    data.write_shards("folder", "whole", 24, images_per_shard=2)
    for path in sorted((tmp_path / "whole").glob("*.tar")):
        assert path.read_bytes() == (tmp_path / "killed" / path.name).read_bytes()
    records = [
        json.loads((tmp_path / name / "shards.json").read_text()) for name in ("whole", "killed")
    ]
    assert records[0] == records[1]
    assert not list((tmp_path / "killed").glob(".*.part"))


def test_what_is_refused(folder, tmp_path):
    for options, error, match in (
        ({"size": 0}, ValueError, "size must be at least 1, got 0"),
        ({"quality": 96}, ValueError, "quality must be from 1 to 95, got 96"),
        ({"images_per_shard": 0}, ValueError, "images_per_shard must be at least 1"),
        ({"megabytes_per_shard": 0}, ValueError, "megabytes_per_shard must be a number above 0"),
        ({"lossless": 1}, TypeError, "lossless must be True or False"),
        ({"labels": "all"}, ValueError, "labels must be 'auto', None or integers"),
        ({"on_error": "raise"}, ValueError, r"broken image '.*3.of.9.jpg': "),
    ):
        with pytest.raises(error, match=match):
            data.write_shards(folder, tmp_path / "shards", **options)
    assert not list((tmp_path / "shards").iterdir())
    with pytest.raises(FileNotFoundError, match="folder must be a folder of images"):
        data.write_shards(tmp_path / "none", tmp_path / "shards")
    for path in folder.rglob("*.*"):
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"all 9 images under .* are broken"):
        data.write_shards(folder, tmp_path / "shards")
