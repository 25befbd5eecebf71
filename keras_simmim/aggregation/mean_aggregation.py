"""The mean over views: the default aggregator."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class MeanAggregation(keras.layers.Layer):
    """Average the encoded views, (B, V, h, w, c) → (B, h, w, c); one view stays itself.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    views = keras.random.normal((8, 3, 7, 7, 64))
    ks.aggregation.MeanAggregation()(views).shape   # (8, 7, 7, 64)
    ```
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # There is nothing to build, and without a classifier nobody would.
        self.built = True

    def call(self, views: Tensor) -> Tensor:
        """Average views (B, V, h, w, c) over V: (B, h, w, c)."""
        return ops.mean(views, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h, w, c)."""
        return (input_shape[0], *input_shape[2:])
