import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_simmim import data

pytestmark = pytest.mark.any_backend


def colors(dataset):
    return [int(value) for batch in dataset for value in batch.numpy()[:, 0, 0, 0]]


def test_every_image_once_an_epoch(colored_folder):
    dataset = data.image_folder(colored_folder(10), 8, 5)
    epochs = [colors(dataset) for _ in range(3)]
    assert all(sorted(epoch) == list(range(10, 110, 10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.long
def test_evaluation_keeps_order_and_remainder(colored_folder):
    folder = colored_folder(10)
    dataset = data.image_folder(folder, (8, 12), 4, training=False)
    assert [batch.shape for batch in dataset] == [(4, 8, 12, 3), (4, 8, 12, 3), (2, 8, 12, 3)]
    assert colors(dataset) == colors(dataset) == list(range(10, 110, 10))
    assert dataset.file_paths == sorted(str(path) for path in folder.iterdir())
    assert dataset.class_names is None
    assert dataset.image_count == 10
    assert dataset.broken_files == {}


@pytest.mark.long
def test_evaluation_matches_pillow(tmp_path, textured_images):
    Image.fromarray(textured_images[0]).save(tmp_path / "image.png")
    for size, box, resample in (
        ((6, 8), (0, 0, 32, 24), Image.Resampling.BOX),
        ((8, 8), (4, 0, 28, 24), Image.Resampling.BOX),
        ((48, 48), (4, 0, 28, 24), Image.Resampling.BILINEAR),
        ((24, 24), (4, 0, 28, 24), Image.Resampling.NEAREST),
    ):
        image = next(iter(data.image_folder(tmp_path, size, training=False)))[0]
        expected = Image.fromarray(textured_images[0]).crop(box).resize(size[::-1], resample)
        assert np.abs(image.numpy().astype(int) - np.asarray(expected)).max() <= 1


def test_labels_of_sub_folders(colored_folder):
    folder = colored_folder(9, classes=("dog", "cat", "emu/young"))
    (folder / ".hidden").mkdir()
    dataset = data.image_folder(folder, 8, 4, training=False)
    assert dataset.class_names == ["cat", "dog", "emu"]
    labels = np.concatenate([batch.numpy() for _, batch in dataset])
    assert labels.dtype == np.int32
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for images, batch in data.image_folder(folder, 8, 3):
        class_of = {10: 1, 20: 0, 30: 2}
        first_of = [int(value) - 1 for value in images.numpy()[:, 0, 0, 0] // 10]
        assert [class_of[10 * (first % 3 + 1)] for first in first_of] == batch.numpy().tolist()


@pytest.mark.long
def test_labels_none_and_given(colored_folder):
    folder = colored_folder(4, classes=("a", "b"))
    assert len(colors(data.image_folder(folder, 8, labels=None))) == 4
    dataset = data.image_folder(folder, 8, labels=[7, 8, 9, 5], training=False)
    assert next(iter(dataset))[1].numpy().tolist() == [7, 8, 9, 5]
    assert dataset.class_names is None
    with pytest.raises(ValueError, match=r"labels must be 4 integers, got the shape \(3,\)"):
        data.image_folder(folder, 8, labels=[1, 2, 3])


@pytest.mark.long
def test_limit_is_even_and_reproducible(colored_folder):
    folder = colored_folder(12, classes=("a", "b", "c"))
    datasets = [data.image_folder(folder, 8, limit=7, seed=seed) for seed in (0, 0, 1, 2)]
    paths = [dataset.file_paths for dataset in datasets]
    assert paths[0] == paths[1]
    assert len({tuple(chosen) for chosen in paths}) > 1
    counts = [sum(f"/{name}/" in path for path in paths[0]) for name in "abc"]
    assert sorted(counts) == [2, 2, 3]
    assert sum(len(labels) for _, labels in datasets[0]) == 7
    assert data.image_folder(folder, 8, limit=100).image_count == 12


@pytest.mark.long
def test_remainder(colored_folder):
    folder = colored_folder(5)
    lengths = {
        (batch_size, drop): [
            len(batch) for batch in data.image_folder(folder, 8, batch_size, drop_remainder=drop)
        ]
        for batch_size, drop in ((2, None), (8, None), (2, False))
    }
    assert lengths == {(2, None): [2, 2], (8, None): [5], (2, False): [2, 2, 1]}
    with pytest.raises(ValueError, match="drop_remainder=True would drop all 5 images"):
        data.image_folder(folder, 8, 8, drop_remainder=True)


def test_links_in_circles_end(colored_folder):
    folder = colored_folder(2, classes=("a",))
    (folder / "a" / "again").symlink_to(folder)
    assert data.image_folder(folder, 8).image_count == 2


@pytest.mark.long
def test_links_that_lead_to_each_other_pipes_and_names_in_any_script(colored_folder):
    folder = colored_folder(2)
    for name in ("图像.png", "изображение.png", "صورة.png", "a 'b' \"c\"\n#.png", b"\xff\xfe.png"):
        shutil.copy(folder / "00.png", os.path.join(os.fsencode(folder), os.fsencode(name)))
    (folder / "one.png").symlink_to("other.png")
    (folder / "other.png").symlink_to("one.png")
    (folder / "one").symlink_to("other")
    (folder / "other").symlink_to("one")
    os.mkfifo(folder / "pipe.png")
    dataset = data.image_folder(folder, 8, training=False)
    assert sorted(colors(dataset)) == [10] * 6 + [20]
    assert sorted(dataset.broken_files) == [
        str(folder / f"{name}.png") for name in ("one", "other")
    ]
    assert all("symbolic links" in reason for reason in dataset.broken_files.values())


@pytest.fixture
def without_privileges():
    """Reads like a user whom permissions bind, which they do not root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def shared_folder():
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_files_and_folders_without_permission(shared_folder, request):
    for folder in ("a", "b"):
        (shared_folder / folder).mkdir()
        for name in ("1.png", "2.png"):
            Image.new("RGB", (8, 8)).save(shared_folder / folder / name)
    (shared_folder / "a" / "2.png").chmod(0)
    (shared_folder / "b").chmod(0)
    request.getfixturevalue("without_privileges")
    dataset = data.image_folder(shared_folder, 8, training=False)
    assert sum(len(labels) for _, labels in dataset) == 1
    assert sorted(dataset.broken_files) == [str(shared_folder / name) for name in ("a/2.png", "b")]
    assert all("ermission denied" in reason for reason in dataset.broken_files.values())
    with pytest.raises(ValueError, match="the folder cannot be read: Permission denied"):
        data.image_folder(shared_folder, 8, on_error="raise")


def test_cases_hidden_files_and_channels(colored_folder):
    folder = colored_folder(3)
    (folder / "00.png").rename(folder / "00.JPEG")
    (folder / ".01.png").write_bytes(b"")
    (folder / "notes.txt").write_text("text")
    batch = next(iter(data.image_folder(folder, 8, channels=1, training=False)))
    assert batch.shape == (3, 8, 8, 1)
    assert batch.dtype == tf.uint8


def test_folders_without_images(tmp_path):
    with pytest.raises(ValueError, match=r"no images under .* looked for .apng, .*no files at all"):
        data.image_folder(tmp_path, 8)
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"found .csv \(1\)"):
        data.image_folder(tmp_path, 8)
    with pytest.raises(NotADirectoryError, match="got the file"):
        data.image_folder(tmp_path / "table.csv", 8)
    with pytest.raises(FileNotFoundError, match="found nothing at"):
        data.image_folder(tmp_path / "nowhere", 8)


def test_images_beside_folders_are_ambiguous(colored_folder):
    folder = colored_folder(4, classes=("", "thumbs"))
    with pytest.raises(ValueError, match="pass labels=None"):
        data.image_folder(folder, 8)
    assert data.image_folder(folder, 8, labels=None).image_count == 4


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"image_size": 0}, ValueError, "image_size must be at least 1, got 0"),
        ({"image_size": 8.5}, TypeError, "image_size must be an integer or a pair"),
        ({"image_size": (8, 8, 3)}, TypeError, "image_size must be"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"labels": "all"}, ValueError, "labels must be 'auto', None or integers"),
        ({"training": 1}, TypeError, "training must be True or False"),
        ({"seed": 1.5}, TypeError, "seed must be an integer"),
        ({"seed": 2**70}, ValueError, "seed must fit into 64 bits"),
        ({"epoch": -1}, ValueError, "epoch must be at least 0"),
        ({"limit": 0}, ValueError, "limit must be at least 1"),
        ({"channels": 2}, ValueError, "channels must be 1 or 3, got 2"),
        ({"crop_scale": (0.5, 1.5)}, ValueError, "crop_scale must satisfy 0 < low <= high <= 1"),
        ({"crop_scale": 0.5}, TypeError, "crop_scale must be a pair"),
        ({"crop_ratio": (2, 1)}, ValueError, "crop_ratio must satisfy 0 < low <= high"),
        ({"flip": "yes"}, TypeError, "flip must be True or False"),
        ({"drop_remainder": 1}, TypeError, "drop_remainder must be True or False"),
        ({"on_error": "ignore"}, ValueError, "on_error must be 'skip' or 'raise'"),
        ({"path": 3}, TypeError, "path must be a path"),
        ({"value_range": (4095, 0)}, ValueError, r"value_range must satisfy 0 <= low < high <= 65"),
        ({"value_range": (0, 2**16)}, ValueError, r"low < high <= 65535, got \(0, 65536\)"),
        ({"value_range": 4095}, TypeError, "value_range must be a pair of numbers"),
        ({"class_names": "ab"}, TypeError, "class_names must be a sequence of strings, got 'ab'"),
        ({"class_names": ["a", "a"]}, ValueError, "class_names must be different from each other"),
        ({"class_names": ["a"]}, ValueError, "class_names needs labels='auto' and images in sub-"),
    ],
)
def test_arguments_out_of_bounds(colored_folder, arguments, error, match):
    defaults = {"path": colored_folder(1), "image_size": 8}
    with pytest.raises(error, match=match):
        data.image_folder(**{**defaults, **arguments})
