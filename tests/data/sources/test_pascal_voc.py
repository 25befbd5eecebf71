"""Objects as Pascal VOC lists them."""

import logging

import numpy as np
import pytest
from PIL import Image

from keras_simmim import data

pytestmark = pytest.mark.any_backend


def tree(name, corners, more=""):
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags)
    return f"<object><name>{name}</name>{more}<bndbox>{box}</bndbox></object>"


def annotation(*objects, filename="", size=(40, 60)):
    height, width = size
    stated = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><filename>{filename}</filename>{stated}{''.join(objects)}</annotation>"


PARTS = "<part><name>leaf</name><bndbox><xmin>1</xmin></bndbox></part><difficult>1</difficult>"


@pytest.fixture
def folder(tmp_path):
    """Three images of 40×60; the XML of the second has another name."""
    for number in range(3):
        Image.new("RGB", (60, 40), (50 * number,) * 3).save(tmp_path / f"{number}.png")
    (tmp_path / "0.xml").write_text(
        annotation(tree("oak", (1, 1, 60, 40)), tree("elm", (11, 6, 20.0, 15), PARTS))
    )
    (tmp_path / "one.xml").write_text(
        annotation(tree("elm", (0, 31, 10, 99)), filename="C:\\trees\\1.png")
    )
    (tmp_path / "2.xml").write_text(annotation(size=(0, 0)))
    return tmp_path


def check(dataset):
    ((images, objects),) = dataset.as_numpy_iterator()
    assert images[:, 0, 0, 0].tolist() == [0, 50, 100]
    assert objects["boxes"].shape == (3, 8, 4)
    assert objects["boxes"].dtype == np.float32
    labels = objects["labels"][:, :2]
    assert labels.tolist() == [[1, -2], [0, -1], [-1, -1]]
    assert objects["boxes"][0, :2].tolist() == [[0, 0, 120, 40], [20, 5, 40, 15]]
    assert objects["boxes"][1, 0].tolist() == [0, 30, 20, 40]
    assert dataset.class_names == ["elm", "oak"]
    assert dataset.image_count == 3


@pytest.mark.long
def test_xmls_beside_their_images_and_in_folders_of_their_own(folder):
    options = {"image_size": (40, 120), "batch_size": 3, "training": False}
    dataset = data.pascal_voc(folder, **options)
    check(dataset)
    assert dataset.file_paths == [str(folder / f"{number}.png") for number in range(3)]
    for name in ("Annotations", "JPEGImages"):
        (folder / name).mkdir()
    for path in list(folder.glob("*.*")):
        path.rename(folder / ("Annotations" if path.suffix == ".xml" else "JPEGImages") / path.name)
    check(data.pascal_voc(folder, **options))


@pytest.mark.long
def test_names_in_an_order_of_ones_own_and_training(folder):
    dataset = data.pascal_voc(folder, 16, 3, class_names=["ash", "oak", "elm"], crop_scale=(1, 1))
    assert dataset.class_names == ["ash", "oak", "elm"]
    for images, objects in dataset.as_numpy_iterator():
        assert images.shape == (3, 16, 16, 3)
        assert set(np.unique(objects["labels"])) <= {-2, -1, 1, 2}
    with pytest.raises(ValueError, match=r"got \['oak'\] without 'elm', which is in '.*0.xml'"):
        data.pascal_voc(folder, 16, class_names=["oak"])


def test_what_is_left_out_is_named(folder, caplog):
    Image.new("RGB", (8, 8)).save(folder / "3.png")
    (folder / "3.png.aux.xml").write_text("<PAMDataset></PAMDataset>")
    (folder / "0.xml").write_text(annotation(tree("oak", (1, 1, 9, 9)), size=(41, 60)))
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = data.pascal_voc(folder, 16, training=False)
        assert [len(images) for images, _ in dataset] == [2]
    assert f"1 XMLs are no annotations, first {str(folder / '3.png.aux.xml')!r}" in caplog.text
    assert f"1 images have no XML, first {str(folder / '3.png')!r}" in caplog.text
    (reason,) = dataset.broken_files.values()
    assert reason == "its boxes are of an image of 41×60 pixels (height × width), it has 40×60"


@pytest.mark.parametrize(
    ("name", "text", "error", "match"),
    [
        ("0", "<annotation>", ValueError, "the XML '.*0.xml' is damaged: "),
        ("0", annotation("<object/>"), ValueError, "'.*0.xml' must give each object .* object 1"),
        (
            "0",
            annotation(tree("elm", (1, 1, 2, 2)), tree("elm", (9, 1, 5, 4))),
            ValueError,
            r"got \[8.0, 0.0, 5.0, 4.0\] for object 2 of '.*0.xml'",
        ),
        ("0", annotation(size=("x", 3)), ValueError, "0.xml' must state a whole number as height"),
        (
            "one",
            annotation(filename="7.png"),
            FileNotFoundError,
            "1 of 3 XMLs .* first '.*one.xml'",
        ),
        ("one", annotation(filename="0.png"), ValueError, "two XMLs are of the image '.*0.png'"),
    ],
)
def test_what_is_refused(folder, name, text, error, match):
    (folder / f"{name}.xml").write_text(text)
    with pytest.raises(error, match=match):
        data.pascal_voc(folder, 16)


def test_two_images_of_one_stem_none_and_nothing(folder):
    Image.new("RGB", (60, 40)).save(folder / "0.bmp")
    with pytest.raises(ValueError, match=r"two images may be those of '.*0.xml': '.*0.bmp', '.*0."):
        data.pascal_voc(folder, 16)
    (folder / "0.xml").write_text(annotation(tree("elm", (1, 1, 2, 2)), filename="0.png"))
    assert data.pascal_voc(folder, 16).file_paths[0].endswith("0.png")
    for path in folder.glob("*.xml"):
        path.write_text(annotation(filename=path.name))
    (folder / "one.xml").unlink()
    (folder / "0.bmp").unlink()
    with pytest.raises(ValueError, match="one with a class at least, got none among all images"):
        data.pascal_voc(folder, 16)
    for path in folder.glob("*.xml"):
        path.unlink()
    with pytest.raises(ValueError, match="no XML of Pascal VOC under"):
        data.pascal_voc(folder, 16)
