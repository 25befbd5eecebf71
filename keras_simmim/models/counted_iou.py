"""The mean overlap of classes over the pixels that count."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_simmim")
class CountedIoU(keras.metrics.MeanIoU):
    """Measure Keras' mean IoU over the pixels whose weight is positive, whatever it is.

    Args:
        num_classes: number of classes.
        name: of the metric.
        **kwargs: passed to `keras.metrics.MeanIoU`.

    Example:
    ```python
    import numpy as np
    from keras_simmim.models.counted_iou import CountedIoU

    metric = CountedIoU(num_classes=2)
    probabilities = np.array([[[0.8, 0.2], [0.1, 0.9], [0.3, 0.7]]])
    metric.update_state(np.array([[0, 1, 0]]), probabilities, sample_weight=np.array([[1, 1, 0]]))
    float(metric.result())   # 1.0
    ```
    """

    def __init__(self, num_classes: int, name: str = "mean_iou", **kwargs: Any) -> None:
        super().__init__(num_classes, name, **{"sparse_y_pred": False, **kwargs})

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count masks (B, …) of 0 … K − 1 and probabilities (B, …, K), with weights (B, …)."""
        truth = ops.cast(ops.convert_to_tensor(y_true), "int32")
        probabilities = ops.convert_to_tensor(y_pred)
        counts = ops.logical_and(truth >= 0, truth < self.num_classes)
        if sample_weight is not None:
            counts = ops.logical_and(counts, ops.convert_to_tensor(sample_weight) > 0)
        # Keras' own counts pixel by pixel, on torch in Python. Products of 0 and 1 are exact as
        # long as an image has fewer than 2²⁴ pixels.
        shape = (-1, math.prod(truth.shape[1:]), self.num_classes)
        rows = ops.one_hot(ops.where(counts, truth, -1), self.num_classes, dtype="float32")
        columns = ops.one_hot(ops.argmax(probabilities, -1), self.num_classes, dtype="float32")
        columns = ops.reshape(columns, shape)
        pairs = ops.matmul(ops.transpose(ops.reshape(rows, shape), (0, 2, 1)), columns)
        confusion = ops.sum(ops.cast(pairs, self.total_cm.dtype), axis=0)
        self.total_cm.assign_add(confusion)
