"""Boxes without their padding, and what is wrong with them."""

import sys

import numpy as np
import pytest

from keras_simmim.evaluation import coco_metrics
from keras_simmim.evaluation.detection_records import detection_records

pytestmark = pytest.mark.any_backend
KEYS = ("boxes", "labels")


def test_padding_is_left_out_and_ignored_boxes_stay():
    boxes = np.arange(24.0).reshape(2, 3, 4)
    truth = {"boxes": boxes, "labels": np.array([[1, -1, -2], [-1, -1, -1]])}
    first, second = detection_records("truth", truth, KEYS)
    np.testing.assert_array_equal(first["boxes"], boxes[0, [0, 2]])
    assert first["labels"].tolist() == [1, -2]
    assert second["boxes"].shape == (0, 4)
    again = detection_records("truth", [first, {"boxes": [], "labels": []}], KEYS)
    np.testing.assert_array_equal(again[0]["boxes"], first["boxes"])
    assert again[1]["boxes"].shape == (0, 4)
    assert detection_records("truth", [], KEYS) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"boxes": np.zeros((1, 2, 4))}, r"none of \['labels'\]"),
        ({"boxes": np.zeros((1, 2, 4)), "labels": np.zeros((2, 2), int)}, "as many images each"),
        ({"boxes": np.zeros((1, 2, 4)), "labels": np.zeros((1, 3), int)}, "of image 0"),
        ({"boxes": np.zeros((1, 2, 3)), "labels": np.zeros((1, 2), int)}, r"\(2, 3\)"),
        ({"boxes": np.zeros((1, 2, 4)), "labels": np.zeros((1, 2))}, "integers, got float64"),
        ({"boxes": np.full((1, 2, 4), np.nan), "labels": np.zeros((1, 2), int)}, "in image 0"),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        detection_records("truth", given, KEYS)


def test_without_pycocotools_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(ImportError, match=r"keras-simmim\[detection\]"):
        coco_metrics([], [])
