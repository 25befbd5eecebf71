"""Segmenters and detectors in TensorBoard and in the report: what they make of a few images."""

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")

SHAPE = (16, 24, 3)
BOXES = {
    "boxes": np.tile(np.float32([[2, 3, 12, 13], [0, 0, 0, 0]]), (4, 1, 1)),
    "labels": np.tile(np.int32([0, -1]), (4, 1)),
}
MASKS = np.tile(np.arange(24) > 11, (4, 16, 1)).astype("uint8")


def segmenter(backbone):
    return ks.ImageSegmenter(backbone, 2, decoder="fcn", neck_width=4)


def detector(backbone):
    return ks.YOLO(backbone, 1, neck_width=4, head_width=4)


@pytest.mark.long
@pytest.mark.parametrize(
    ("make", "name", "truth", "rows"),
    [(segmenter, "segmentation", MASKS, 3), (detector, "detection", BOXES, 2)],
)
def test_a_run_shows_truth_and_prediction(make, name, truth, rows, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype="uint8")
    model = make(ks.backbones.ConvNet(SHAPE, filters=(4, 4), strides=2))
    model.compile("adamw")
    targets = {"masks": truth} if name == "segmentation" else {"boxes": truth}
    dataset = ks.data.metered(ks.data.from_arrays(images, batch_size=4, **targets))

    def overlap(model):
        yield "mean_iou", 0.25

    run = ks.pretraining.Run(tmp_path / "run", {"seed": 0})
    first = keras.tree.map_structure(lambda values: values[:2], truth)
    told = run.fit(model, dataset, epochs=1, pictures=images[:2], truth=first, evaluators=[overlap])
    report = run.finish(told).read_text(encoding="utf-8")

    (sheet,) = model.sheets(images[:2], first).values()
    left = 58 if name == "segmentation" else 34  # pixels of the names "predicted" and "truth"
    assert sheet.shape == (rows * 20 - 4, left + 2 * 28 - 4, 3)
    log = EventAccumulator(str(tmp_path / "run" / "logs" / "train"), {"images": 0, "tensors": 0})
    (picture,) = log.Reload().Images(name)
    assert (picture.step, picture.height, picture.width) == (1, *sheet.shape[:2])
    assert {"features/stem", "features/encoder"} <= set(log.Tags()["tensors"])
    saved = keras.utils.load_img(tmp_path / "run" / f"{name}.png")
    enlarged = model.sheets(images[:2], first, scale=8)[name]
    np.testing.assert_array_equal(np.asarray(saved), enlarged)
    assert f'<img alt="{name}.png"' in report
    assert "the network" in report
    assert "mean IoU, before and after" in report


def test_what_is_shown_beside_images_is_as_much():
    images = np.zeros((3, *SHAPE), "uint8")
    for truth in (MASKS, BOXES):
        with pytest.raises(ValueError, match=r"truth for each of 3 images, got \[4\]"):
            ks.training.callbacks.Watch(images, "logs", truth=truth)


def test_a_classifier_has_no_picture_but_features(tmp_path):
    images = np.zeros((2, *SHAPE), "uint8")
    model = ks.ImageClassifier(ks.backbones.ConvNet(SHAPE, filters=(4,)), 2)
    model.compile("adamw")
    watch = ks.training.callbacks.Watch(images, tmp_path)
    model.fit(images, np.array([0, 1]), verbose=0, callbacks=[watch])
    tags = EventAccumulator(str(tmp_path / "train"), {"images": 0}).Reload().Tags()
    assert tags["images"] == []
    assert set(tags["tensors"]) == {"features/stem", "features/encoder"}
