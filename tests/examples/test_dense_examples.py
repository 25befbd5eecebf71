"""examples/segment.py and detect.py on small folders, from images to pictures."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.long, pytest.mark.only_on("torch"), pytest.mark.turned(2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten images with a bright square, its mask, and its box as COCO has it."""
    folder = tmp_path_factory.mktemp("squares")
    generator = np.random.default_rng(0)
    entries, boxes = [], []
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for number in range(10):
        pixels = generator.integers(0, 60, (48, 48, 3), dtype="uint8")
        mask = np.zeros((48, 48), "uint8")
        left, top = (int(n) for n in generator.integers(2, 20, 2))
        pixels[top : top + 20, left : left + 20] += 150
        mask[top : top + 20, left : left + 20] = 1
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
        entries.append({"id": number, "file_name": f"{number}.png", "width": 48, "height": 48})
        box = {"id": number, "image_id": number, "category_id": 7, "bbox": [left, top, 20, 20]}
        boxes.append({**box, "area": 400, "iscrowd": 0})
    classes = [{"id": 7, "name": "square"}]
    record = {"images": entries, "annotations": boxes, "categories": classes}
    (folder / "boxes.json").write_text(json.dumps(record))
    return folder


def common(output):
    short = ("--pretrain-epochs", 1, "--epochs", 1, "--batch-size", 4)
    return (*short, "--image-size", 32, "--compare-scratch", "--output", output)


def test_a_folder_is_segmented(folder, tmp_path, example):
    data = ("--images", folder / "images", "--masks", folder / "masks", "--classes", 2)
    said = example("segment.py", *data, *common(tmp_path), "--decoder", "fcn", "--share", 0.5)
    assert "pretrained: mean IoU" in said
    assert "scratch: mean IoU" in said
    run = tmp_path / "segmenter-pretrained"
    # Two images of 128 pixels, 4 between them, behind the names of three rows.
    sheet = np.asarray(Image.open(run / "segmentation.png"))
    assert sheet.shape == (3 * 132 - 4, 90 + 2 * 132 - 4, 3)
    assert "segmentation.png" in (run / "report.html").read_text(encoding="utf-8")
    keras.saving.load_model(run / "model.keras")
    again = example(
        "segment.py", *data, *common(tmp_path / "two"), "--model", tmp_path / "pretrained"
    )
    assert "pretrained: mean IoU" in again


def test_objects_of_a_folder_are_found(folder, tmp_path, example):
    data = ("--data", folder / "images", "--coco", folder / "boxes.json")
    said = example("detect.py", *data, *common(tmp_path), "--detector", "ssd")
    assert "held-out images: mAP" in said
    run = tmp_path / "detector-scratch"
    sheet = np.asarray(Image.open(run / "detection.png"))
    assert sheet.shape == (2 * 132 - 4, 52 + 2 * 132 - 4, 3)
    assert "detection.png" in (run / "report.html").read_text(encoding="utf-8")


def test_mistakes_are_one_line_and_an_error(tmp_path, refusal):
    for name, arguments, message in (
        ("segment.py", ("--images", tmp_path), "--images and --masks belong together"),
        ("segment.py", ("--share", 0), "--share must be above 0 and at most 1, got 0.0"),
        ("detect.py", ("--coco", tmp_path / "a.json"), "--coco needs --data"),
        ("detect.py", ("--image-size", 12), "--image-size must be divisible by 8, got 12"),
        ("detect.py", ("--data", tmp_path), "no"),
    ):
        assert message in refusal(name, *arguments)
