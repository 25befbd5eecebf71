"""COCO's measures, by hand and against pycocotools on files."""

import json

import numpy as np
import pytest

from keras_simmim.evaluation import DetectionQuality, coco_metrics

pytestmark = pytest.mark.long

NAMES = ("mAP", "mAP50", "mAP75", "mAP_small", "mAP_medium", "mAP_large", "AR100")
BOX = [10.0, 10.0, 50.0, 50.0]
FAR = [60.0, 60.0, 90.0, 90.0]


def detection(*rows):
    """Detections of one image from (box, score, label)."""
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return {"boxes": np.array(boxes), "scores": np.array(scores), "labels": np.array(labels, int)}


def truth(*images):
    """True boxes from lists of (box, label), padded to four an image."""
    boxes, labels = np.zeros((len(images), 4, 4)), np.full((len(images), 4), -1)
    for index, rows in enumerate(images):
        for place, (box, label) in enumerate(rows):
            boxes[index, place], labels[index, place] = box, label
    return {"boxes": boxes, "labels": labels}


def random_data(seed):
    """Twelve images with up to four true boxes and some detections near them and elsewhere."""
    generator = np.random.default_rng(seed)
    true, found = [], []
    for _ in range(12):
        rows, guesses = [], []
        for _ in range(generator.integers(0, 5)):
            corner, size = generator.uniform(0, 80, 2), generator.uniform(8, 120, 2)
            box, label = np.concatenate([corner, corner + size]), generator.integers(0, 3)
            rows.append((box, label))
            moved = box + generator.normal(0, 4, 4)
            moved[2:] = np.maximum(moved[:2], moved[2:])
            guesses.append((moved, generator.random(), label))
        corner = generator.uniform(0, 80, 2)
        guesses.append((np.concatenate([corner, corner + 20]), generator.random(), 1))
        true.append(rows)
        found.append(detection(*guesses))
    return found, truth(*true)


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_pycocotools_on_files(seed, tmp_path, capsys):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found, true = random_data(seed)

    def entry(image, box, label):
        left, top, right, bottom = map(float, box)
        sizes = {"bbox": [left, top, right - left, bottom - top]}
        return {"image_id": image + 7, "category_id": int(label) + 3, **sizes}

    annotations = [
        {**entry(image, box, label), "iscrowd": 0, "id": 100 * image + place + 1}
        for image in range(12)
        for place, (box, label) in enumerate(
            zip(true["boxes"][image], true["labels"][image], strict=True)
        )
        if label >= 0
    ]
    for each in annotations:
        each["area"] = each["bbox"][2] * each["bbox"][3]
    results = [
        {**entry(image, box, label), "score": float(score)}
        for image, record in enumerate(found)
        for box, score, label in zip(*record.values(), strict=True)
    ]
    images = [{"id": image + 7} for image in range(12)]
    categories = [{"id": label + 3} for label in range(3)]
    whole = {"images": images, "categories": categories, "annotations": annotations}
    (tmp_path / "truth.json").write_text(json.dumps(whole))
    (tmp_path / "found.json").write_text(json.dumps(results))
    coco = COCO(str(tmp_path / "truth.json"))
    judge = COCOeval(coco, coco.loadRes(str(tmp_path / "found.json")), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    expected = judge.stats[[0, 1, 2, 3, 4, 5, 8]]
    capsys.readouterr()

    measured = coco_metrics(found, true)
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal([measured[name] for name in NAMES], expected)
    assert 0.1 < measured["mAP"] < 0.9
    assert np.nanmean(measured["AP_by_class"]) == pytest.approx(measured["mAP"])
    # Padded, as `predict` gives them, in another order of the padding.
    padded = {"boxes": np.zeros((12, 6, 4)), "scores": np.zeros((12, 6))}
    padded["labels"] = np.full((12, 6), -1)
    for image, record in enumerate(found):
        for name, values in record.items():
            padded[name][image, 6 - len(values) :] = values
    np.testing.assert_equal(coco_metrics(padded, true), measured)


def test_a_case_by_hand():
    # Two true boxes, one found exactly and first, one not: precision 1 up to recall 0.5, which is
    # 51 of the recalls 0, 0.01, … 1. Of class 2, found with an overlap of 30·40/40² = 0.75: the
    # six of ten overlaps up to 0.75.
    found = [detection((BOX, 0.9, 0), (FAR, 0.8, 0)), detection(([10, 10, 40, 50], 0.7, 2))]
    true = truth([(BOX, 0), ([0, 0, 9, 9], 0)], [(BOX, 2)])
    measured = coco_metrics(found, true)
    np.testing.assert_allclose(measured["AP_by_class"], [51 / 101, np.nan, 0.6], atol=1e-9)
    assert measured["mAP"] == pytest.approx((51 / 101 + 0.6) / 2)
    assert measured["mAP50"] == pytest.approx((51 / 101 + 1) / 2)
    assert measured["AR100"] == pytest.approx((0.5 + 0.6) / 2)
    assert measured["mAP_small"] == pytest.approx(0)
    assert np.isnan(measured["mAP_large"])


def test_ignored_boxes_are_of_any_class():
    true = truth([(BOX, 0), (FAR, -2)])
    # Within the ignored box, of both classes and before the right one in order: not counted.
    inside = [62.0, 62.0, 88.0, 88.0]
    found = [detection((inside, 0.9, 0), (inside, 0.9, 1), (BOX, 0.5, 0))]
    measured = coco_metrics(found, true)
    assert measured["mAP"] == pytest.approx(1)
    np.testing.assert_allclose(measured["AP_by_class"], [1, np.nan])
    # Without the ignored box it is a false one, first in order: precision 1/2 at each recall.
    assert coco_metrics(found, truth([(BOX, 0)]))["mAP"] == pytest.approx(0.5)


def test_nothing_found_and_nothing_there():
    none = [detection(), detection()]
    measured = coco_metrics(none, truth([(BOX, 1)], []))
    assert measured["mAP"] == measured["AR100"] == 0
    np.testing.assert_array_equal(measured["AP_by_class"], [np.nan, 0])
    for found in (none, [detection((BOX, 0.9, 1)), detection()]):
        measured = coco_metrics(found, truth([], [(BOX, -2)]))
        assert np.isnan([measured[name] for name in NAMES]).all()
        assert np.isnan(measured["AP_by_class"]).all()
    assert np.isnan(coco_metrics([], [])["mAP"])
    # A false box in an image without any counts: precision 1/2.
    found = [detection((BOX, 0.5, 1)), detection((BOX, 0.9, 1))]
    assert coco_metrics(found, truth([(BOX, 1)], []))["mAP"] == pytest.approx(0.5)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="as many images, got 1 and 2"):
        coco_metrics([detection()], truth([], []))
    with pytest.raises(ValueError, match="comes before its left or top in image 1"):
        coco_metrics([detection()] * 2, truth([], [([5, 5, 4, 9], 0)]))


class Finder:
    """Finds a box whose label is the image's first pixel, in every image."""

    def predict(self, images, verbose):
        labels = images[:, 0, 0, :1].astype(int)
        boxes = np.tile(np.array(BOX), (len(images), 1, 1))
        return {"boxes": boxes, "scores": np.full(labels.shape, 0.8), "labels": labels}


def test_the_evaluator_takes_arrays_and_datasets(monkeypatch):
    import tensorflow as tf

    from keras_simmim.evaluation import labeled_batches

    monkeypatch.setattr(labeled_batches, "BATCH", 2)
    images = np.zeros((5, 64, 64, 3), "uint8")
    images[:, 0, 0, 0] = [0, 1, 0, 1, 1]
    true = truth(*[[(BOX, label)] for label in (0, 1, 0, 0, 1)])
    expected = coco_metrics(Finder().predict(images, 0), true)
    dataset = tf.data.Dataset.from_tensor_slices((images, true)).batch(2)
    for evaluator in (DetectionQuality(images, true), DetectionQuality(dataset)):
        measured = dict(evaluator(Finder()))
        assert measured == {name: expected[name] for name in ("mAP", "mAP50")}
        assert 0.5 < measured["mAP"] < 1
