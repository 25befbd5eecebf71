"""Evaluators of masks, alone and in `fit`."""

import keras
import numpy as np
import pytest

from keras_simmim.evaluation import DetectionQuality, SegmentationQuality, labeled_batches, mean_iou
from keras_simmim.training.callbacks import Evaluate


class Segmenter:
    """Takes the parity of the first channel for the class, of three."""

    num_classes = 3

    def predict(self, images, verbose):
        return np.eye(3, dtype="float32")[images[..., 0] % 2]


@pytest.mark.any_backend
def test_arrays_and_datasets_give_what_the_function_measures(containers, monkeypatch):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (5, 4, 6, 3), dtype="uint8")
    masks = generator.choice([0, 1, 2, 255], (5, 4, 6)).astype("uint8")
    predicted, counts = images[..., 0] % 2, masks != 255
    expected = {
        "mean_iou": mean_iou(predicted, masks, 3)["mean_iou"],
        "pixel_accuracy": np.mean(predicted[counts] == masks[counts]),
    }
    monkeypatch.setattr(labeled_batches, "BATCH", 2)
    dataset = containers["dataset"](images, masks)
    for evaluator in (SegmentationQuality(images, masks), SegmentationQuality(dataset)):
        assert dict(evaluator(Segmenter())) == pytest.approx(expected)
    nothing = SegmentationQuality(images, np.full_like(masks, 255))
    assert all(np.isnan(value) for _, value in nothing(Segmenter()))


@pytest.mark.any_backend
def test_what_is_not_labeled_is_refused(containers):
    images = np.zeros((4, 4, 6, 3), "uint8")
    for evaluator in (SegmentationQuality, DetectionQuality):
        with pytest.raises(ValueError, match=r"images must be a dataset of .* got ndarray"):
            evaluator(images)
        with pytest.raises(ValueError, match="images alone"):
            evaluator(containers["dataset"](images))
    with pytest.raises(ValueError, match=r"truth for each of 4 images, got \[3\]"):
        SegmentationQuality(images, np.zeros((3, 4, 6), int))
    truth = {"boxes": np.zeros((4, 1, 4)), "labels": np.zeros((3, 1), int)}
    with pytest.raises(ValueError, match=r"each of 4 images, got \[3, 4\]"):
        DetectionQuality(images, truth)


@pytest.mark.fast_on("torch")
def test_a_model_is_measured_while_it_trains():
    model = keras.Sequential(
        [
            keras.Input((4, 6, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Dense(2),
        ]
    )
    model.num_classes = 2
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.5), loss)
    masks = np.random.default_rng(0).integers(0, 2, (8, 4, 6))
    images = (masks[..., None] * 255).astype("float32")
    evaluate = Evaluate([SegmentationQuality(images, masks)])
    options = {"epochs": 8, "verbose": 0, "callbacks": [evaluate]}
    history = model.fit(images, masks, batch_size=8, **options).history
    assert history["mean_iou"][-1] == history["pixel_accuracy"][-1] == 1
