"""Objects as COCO lists them."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from keras_simmim import data

pytestmark = pytest.mark.any_backend


def annotation(number, image, category, bbox, **more):
    return {"id": number, "image_id": image, "category_id": category, "bbox": bbox, **more}


@pytest.fixture
def listed(tmp_path):
    """Three images of 40×60, of which the last is empty."""
    (tmp_path / "images").mkdir()
    for number in range(3):
        Image.new("RGB", (60, 40), (50 * number,) * 3).save(tmp_path / f"images/{number}.png")
    return {
        "images": [
            {"id": 100 + number, "file_name": f"{number}.png", "height": 40, "width": 60}
            for number in range(3)
        ],
        "categories": [{"id": 9, "name": "oak"}, {"id": 2, "name": "elm"}],
        "annotations": [
            annotation(1, 101, 9, [30, 20, 10.5, 10]),
            annotation(2, 100, 2, [0, 0, 60, 20], iscrowd=1),
            annotation(3, 100, 9, [50, 30, 20, 20], iscrowd=0),
            annotation(4, 100, 2, [-10, 5, 20, 10]),
        ],
    }


@pytest.fixture
def make(tmp_path):
    def build(listed, image_size=(80, 60), **options):
        path = tmp_path / "objects.json"
        path.write_text(listed if isinstance(listed, str) else json.dumps(listed))
        return data.coco(path, tmp_path / "images", image_size, 3, **options)

    return build


def test_boxes_labels_and_names(listed, make, tmp_path):
    dataset = make(listed, training=False)
    assert dataset.class_names == ["elm", "oak"]
    assert dataset.image_count == 3
    assert dataset.file_paths == [str(tmp_path / f"images/{number}.png") for number in range(3)]
    ((images, objects),) = dataset.as_numpy_iterator()
    assert images[:, 0, 0, 0].tolist() == [0, 50, 100]
    boxes, labels = objects["boxes"], objects["labels"]
    assert (boxes.shape, boxes.dtype) == ((3, 8, 4), np.float32)
    assert labels.dtype == np.int32
    # What is learned stands before what is ignored, and an empty image is one.
    assert labels[:, :3].tolist() == [[1, 0, -2], [1, -1, -1], [-1, -1, -1]]
    assert (labels[:, 3:] == -1).all()
    # 40×60 became 80×60, and what reached beyond was cut off.
    assert boxes[0, :3].tolist() == [[50, 60, 60, 80], [0, 10, 10, 30], [0, 0, 60, 40]]
    assert boxes[1, 0].tolist() == [30, 40, 40.5, 60]
    assert not boxes[labels == -1].any()


def test_training_crops_are_of_their_own(listed, make):
    listed["annotations"] += [annotation(9, 102, 9, [20, 10, 20, 20]) for _ in range(9)]
    dataset = make(listed, 32)
    for images, objects in dataset.as_numpy_iterator():
        assert images.shape == (3, 32, 32, 3)
        assert objects["boxes"].shape == (3, 16, 4)
        assert objects["boxes"].max() <= 32
        is_box = objects["labels"] != -1
        sides = objects["boxes"][..., 2:] - objects["boxes"][..., :2]
        assert (sides[is_box] > 0).all()
        assert not sides[~is_box].any()


def test_fewer_slots_leave_out_what_is_ignored_first(listed, make, caplog):
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = make(listed, max_boxes=2, training=False)
    assert "1 boxes of 1 images with more than max_boxes=2; " in caplog.text
    labels = next(iter(dataset))[1]["labels"].numpy()
    assert labels.tolist() == [[1, 0], [1, -1], [-1, -1]]


@pytest.mark.long
def test_a_split_keeps_boxes_on_their_images(listed, make):
    limited = make(listed, validation_split=0.34, subset="training", training=False)
    (labels,) = (objects["labels"] for _, objects in limited.as_numpy_iterator())
    firsts = [[1, 0, -2], [1, -1, -1], [-1, -1, -1]]
    assert labels[:, :3].tolist() == [firsts[int(path[-5])] for path in limited.file_paths]
    # As many slots as the whole set needs: both sides of a split have the same shapes.
    assert labels.shape == (2, 8)


def test_an_image_of_another_size_is_skipped_and_named(listed, make, caplog):
    listed["images"][1].update(height=20, width=30)
    del listed["images"][2]["height"]
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = make(listed, training=False)
        assert [len(images) for images, _ in dataset] == [2]
    (reason,) = dataset.broken_files.values()
    assert reason == "its boxes are of an image of 20×30 pixels (height × width), it has 40×60"
    with pytest.raises(ValueError, match="all 1 images are broken"):
        make({**listed, "images": listed["images"][1:2], "annotations": listed["annotations"][:1]})


def test_boxes_outside_are_told_of(listed, make, caplog):
    listed["annotations"].append(annotation(7, 101, 9, [70, 0, 5, 5]))
    with caplog.at_level(logging.WARNING, "keras_simmim"):
        dataset = make(listed, training=False)
    assert "1 boxes are outside of their images, first annotation 7 of '" in caplog.text
    assert next(iter(dataset))[1]["labels"].numpy()[1, :2].tolist() == [1, -1]


def changed(part, place, **values):
    def change(listed):
        listed[part][place].update(values)
        return listed

    return change


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (
            changed("annotations", 2, bbox=[50, 30, -20, 20]),
            ValueError,
            r"got \[50.0, 30.0, 30.0, 50.0\] for annotation 3 of '.*0.png'",
        ),
        (changed("annotations", 0, bbox=[1, 2, 3, 0]), ValueError, "for annotation 1 of '.*1.png'"),
        (changed("annotations", 0, bbox=[1, 2, 3]), ValueError, "annotation 1 .* four numbers"),
        (
            changed("annotations", 0, bbox=[1, 2, 3, "4"]),
            ValueError,
            "annotation 1 .* four numbers",
        ),
        (changed("annotations", 0, image_id=7), ValueError, "annotation 1 has the image_id 7, whi"),
        (changed("annotations", 0, category_id=7), ValueError, "1 has the category_id 7, which is"),
        (changed("images", 0, id=101), ValueError, "number its images, got the id 101 twice"),
        (changed("images", 0, file_name="1.png"), ValueError, "each image once, got '.*1.png' twi"),
        (
            lambda listed: changed("images", 1, file_name="b.png")(
                changed("images", 0, file_name="a.png")(listed)
            ),
            FileNotFoundError,
            "names 2 of 3 images that are not there, first '.*a.png'",
        ),
        (
            lambda listed: {**listed, "annotations": []},
            ValueError,
            "one with a class at least, got none among all images",
        ),
        (
            lambda listed: {**listed, "annotations": listed["annotations"][1:2]},
            ValueError,
            "got none among all images, but 1 that are ignored",
        ),
        (lambda listed: {"images": []}, ValueError, "a dictionary of the lists images, categories"),
        (
            lambda listed: {**listed, "images": [{"id": 1}]},
            ValueError,
            "is not in COCO's format: KeyError.'file_name'",
        ),
        (lambda listed: "{", ValueError, "is no JSON: "),
    ],
)
def test_what_is_refused(listed, make, change, error, match):
    with pytest.raises(error, match=match):
        make(change(listed))
