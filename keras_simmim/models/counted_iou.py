"""The mean overlap of classes over the pixels that count."""

from typing import Any

import keras
from keras import ops

from keras_simmim.data.target_values import IGNORED_PIXEL


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
        options = {"ignore_class": IGNORED_PIXEL, "sparse_y_pred": False, **kwargs}
        super().__init__(num_classes, name, **options)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count masks (…) of 0 … K − 1 and probabilities (…, K), with weights (…) of the pixels."""
        if sample_weight is not None:
            y_true = ops.where(ops.convert_to_tensor(sample_weight) > 0, y_true, IGNORED_PIXEL)
        super().update_state(y_true, y_pred)
