"""What is not read is counted in one warning, and shifts no label unawares."""

import logging

import numpy as np
import pytest
from PIL import Image

from keras_simmim import data
from keras_simmim.data.reading.file_kinds import readable_endings
from keras_simmim.data.reading.formats import EXTENSIONS

pytestmark = pytest.mark.any_backend


@pytest.fixture
def warnings(caplog):
    """The messages that a data set logs when it is made."""

    def made(*arguments, **options):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "keras_simmim"):
            dataset = data.image_folder(*arguments, **options)
        return dataset, [record.getMessage() for record in caplog.records]

    return made


def labels(dataset):
    return np.concatenate([batch for _, batch in dataset.as_numpy_iterator()]).tolist()


def test_endings_are_those_that_pillow_knows():
    kinds = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
    known = {end for end, kind in Image.registered_extensions().items() if kind in kinds}
    assert set(EXTENSIONS) == known


def test_other_endings_of_jpeg_and_png_are_read(colored_folder, warnings):
    folder = colored_folder(6)
    for number, ending in enumerate((".jfif", ".jpe", ".JFIF", ".Jpe", ".apng")):
        (folder / f"{number:02d}.png").rename(folder / f"{number:02d}{ending}")
    dataset, messages = warnings(folder, 8, training=False)
    assert next(iter(dataset)).numpy()[:, 0, 0, 0].tolist() == [10, 20, 30, 40, 50, 60]
    assert messages == []


def test_images_of_other_formats_are_counted_once(colored_folder, warnings):
    folder = colored_folder(4, classes=("a", "b"))
    endings = [".psd"] * 5 + [".PSB", ".JP2", ".jp2", ".jxl", ".txt", ".json", ""]
    for number, ending in enumerate(endings):
        (folder / "ab"[number % 2] / f"x{number}{ending}").write_bytes(b"")
    dataset, messages = warnings(folder, 8)
    list(dataset)
    assert messages == [
        f"Left out of {str(folder)!r}: images whose endings are not among "
        f"{', '.join(readable_endings())}: .psd (5), .jp2 (2), .jxl (1), .psb (1). "
        "Other files: .json (1), .txt (1), no extension (1)."
    ]


def test_companions_of_images_are_no_news(colored_folder, warnings):
    folder = colored_folder(2)
    for name in ("Thumbs.db", "desktop.ini", "1.xml", "labels.csv", "README", ".x.tif", "._x.jpg"):
        (folder / name).write_bytes(b"")
    assert warnings(folder, 8)[1] == []


def test_folders_without_an_image_are_no_classes(colored_folder, warnings):
    folder = colored_folder(4, classes=("cat", "emu/young"))
    for name in ("__MACOSX/cat", "annotations", "bee", "dog"):
        (folder / name).mkdir(parents=True)
    (folder / "__MACOSX" / "cat" / "._00.png").write_bytes(b"")
    (folder / "annotations" / "00.xml").write_bytes(b"")
    (folder / "dog" / "1.psd").write_bytes(b"")
    (folder / "loop").symlink_to(folder)
    dataset, messages = warnings(folder, 8, training=False)
    assert dataset.class_names == ["cat", "emu"]
    assert labels(dataset) == [0, 0, 1, 1]
    assert len(messages) == 2
    assert ": .psd (1). Other files: .xml (1)." in messages[0]
    assert messages[1] == (
        f"Left out of {str(folder)!r}: folders without an image, which are no classes: "
        "'__MACOSX', 'annotations', 'bee', 'dog', 'loop'. "
        "To keep the place of an empty class among the labels, pass class_names."
    )
    # What has been said is not said again.
    unlabeled, messages = warnings(folder, 8, labels=None)
    assert unlabeled.image_count == 4
    assert messages == []


@pytest.mark.long
def test_class_names_give_an_empty_class_its_place(colored_folder, warnings):
    folder = colored_folder(4, classes=("cat", "emu"))
    (folder / "dog").mkdir()
    dataset, messages = warnings(folder, 8, training=False, class_names=("cat", "dog", "emu"))
    assert dataset.class_names == ["cat", "dog", "emu"]
    assert labels(dataset) == [0, 0, 2, 2]
    assert messages == []
    assert labels(warnings(folder, 8, training=False, class_names=["emu", "cat"])[0]) == [
        1,
        1,
        0,
        0,
    ]


def test_class_names_that_lack_a_folder_are_refused(colored_folder):
    folder = colored_folder(4, classes=("cat", "emu"))
    with pytest.raises(
        ValueError, match=r"class_names must hold .*, got \['cat'\] without \['emu'"
    ):
        data.image_folder(folder, 8, class_names=["cat"])
    with pytest.raises(ValueError, match="class_names needs labels='auto'"):
        data.image_folder(folder, 8, class_names=["cat", "emu"], labels=None)


def test_nothing_readable_says_what_was_found(tmp_path):
    for name in ("a.psd", "b.psd", "c.jp2", "d"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"found \.psd \(2\), .*\.jp2 \(1\).*no extension \(1\)"):
        data.image_folder(tmp_path, 8)
