"""Evaluator of a model's boxes, for reports and for `callbacks.Evaluate`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_simmim.evaluation.coco_metrics import coco_metrics
from keras_simmim.evaluation.detection_records import detection_records
from keras_simmim.evaluation.labeled_batches import check_truth, labeled_batches


class DetectionQuality:
    """Measure "mAP" and "mAP50" of the boxes that a model finds, by pycocotools.

    Args:
        images: array (N, H, W, C), uint8 or float 0–255, or a `tf.data.Dataset` of (images,
            {"boxes", "labels"}) batches.
        truth: {"boxes": (N, M, 4), "labels": (N, M)}, see `coco_metrics`; None for a dataset.

    Raises:
        ValueError: for images without boxes.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks


    class Finder:
        def predict(self, images, verbose):
            return {**truth, "scores": np.ones((1, 1))}


    truth = {"boxes": np.array([[[0, 0, 9.0, 9.0]]]), "labels": np.array([[0]])}
    evaluator = ks.evaluation.DetectionQuality(np.zeros((1, 16, 16, 3)), truth)
    round(dict(evaluator(Finder()))["mAP"], 3)   # 1.0
    ```
    """

    def __init__(self, images: Any, truth: Any = None) -> None:
        check_truth(images, truth)
        self.images, self.truth = images, truth

    def __call__(self, model: Any) -> Iterator[tuple[str, float]]:
        """Predict the boxes and yield the measures, NaN without any true box."""
        found: list[dict[str, np.ndarray]] = []
        true: list[dict[str, np.ndarray]] = []
        for images, truth in labeled_batches(self.images, self.truth):
            predicted = model.predict(images, verbose=0)
            found += detection_records("detections", predicted, ("boxes", "scores", "labels"))
            true += detection_records("truth", truth, ("boxes", "labels"))
        metrics = coco_metrics(found, true)
        yield from ((name, metrics[name]) for name in ("mAP", "mAP50"))
