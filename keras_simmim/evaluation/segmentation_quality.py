"""Evaluator of a model's masks, for reports and for `callbacks.Evaluate`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_simmim.evaluation.labeled_batches import check_truth, labeled_batches
from keras_simmim.evaluation.mean_iou import confusion_matrix, iou_of


class SegmentationQuality:
    """Measure "mean_iou" and "pixel_accuracy" of the classes that a model gives pixels.

    Args:
        images: array (N, H, W, C), uint8 or float 0–255, or a `tf.data.Dataset` of (images, masks)
            batches.
        masks: integers (N, H, W), 255 is ignored; None for a dataset.

    Raises:
        ValueError: for images without masks.

    Example:
    ```python
    import keras
    import numpy as np
    import keras_simmim as ks

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)])
    model.num_classes = 2
    images, masks = np.zeros((4, 8, 8, 3), "uint8"), np.zeros((4, 8, 8), "uint8")
    evaluator = ks.evaluation.SegmentationQuality(images, masks)
    dict(evaluator(model))["mean_iou"]   # 1.0
    ```
    """

    def __init__(self, images: Any, masks: Any = None) -> None:
        check_truth(images, masks)
        self.images, self.masks = images, masks

    def __call__(self, model: Any) -> Iterator[tuple[str, float]]:
        """Predict the masks and yield the measures, NaN where every pixel is ignored."""
        classes = model.num_classes
        confusion = np.zeros((classes, classes), "int64")
        for images, masks in labeled_batches(self.images, self.masks):
            confusion += confusion_matrix(model.predict(images, verbose=0), masks, classes)
        yield "mean_iou", iou_of(confusion)["mean_iou"]
        total = int(confusion.sum())
        yield "pixel_accuracy", int(np.trace(confusion)) / total if total else float("nan")
