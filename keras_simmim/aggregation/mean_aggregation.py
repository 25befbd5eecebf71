"""The mean over views: the default aggregator."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class MeanAggregation(keras.layers.Layer):
    """Mean of the encoded views, (B, V, h, w, c) → (B, h, w, c); of one view, the view itself.

    Example:
    ```python
    MeanAggregation()(keras.random.normal((8, 3, 7, 7, 64))).shape   # (8, 7, 7, 64)
    ```
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # There is nothing to build, and without a classifier nobody would.
        self.built = True

    def call(self, views: Tensor) -> Tensor:
        """(B, V, h, w, c) → (B, h, w, c)."""
        return ops.mean(views, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, h, w, c)."""
        return (input_shape[0], *input_shape[2:])
