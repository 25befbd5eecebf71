"""The mean overlap of classes over the pixels that count."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config


@keras.saving.register_keras_serializable("keras_simmim")
class CountedIoU(keras.metrics.MeanIoU):
    """Measure Keras' mean IoU over the pixels whose weight is positive, whatever it is.

    Args:
        num_classes: number of classes.
        name: of the metric.
        dtype: of the counts; integers if None.

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

    def __init__(self, num_classes: int, name: str = "mean_iou", dtype: Any = None) -> None:
        super().__init__(num_classes, name, dtype, sparse_y_pred=False)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count masks (…) of 0 … K − 1 and probabilities (…, K), with weights (…) of the pixels."""
        truth = ops.cast(y_true, "int32")
        counts = ops.logical_and(truth >= 0, truth < self.num_classes)
        if sample_weight is not None:
            counts = ops.logical_and(counts, ops.convert_to_tensor(sample_weight) > 0)
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        pairs = ops.stack([ops.where(counts, truth, 0), predicted], axis=-1)
        # Keras' own adds up pixel by pixel, on torch in Python.
        confusion = ops.scatter_update(
            self.total_cm,
            ops.reshape(pairs, (-1, 2)),
            ops.reshape(ops.cast(counts, self.total_cm.dtype), (-1,)),
            reduction="add",
        )
        self.total_cm.assign(confusion)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"num_classes": self.num_classes, "name": self.name, "dtype": self.dtype}
