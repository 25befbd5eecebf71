"""The concatenation of the views, projected to the channels of one."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class ConcatAggregation(keras.layers.Layer):
    """Concatenate the views' channels and project them, (B, V, h, w, c) → (B, h, w, c).

    The 1×1 projection starts as the mean of the views. Each view has its own weights, so the
    number of views is fixed when built.

    Args:
        **kwargs: passed to `keras.layers.Layer`.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    views = keras.random.normal((8, 3, 7, 7, 64))
    ks.aggregation.ConcatAggregation()(views).shape   # (8, 7, 7, 64)
    ```
    """

    def build(self, input_shape: Shape) -> None:
        """Create the projection for V views of c channels."""
        views, channels = input_shape[1], input_shape[-1]
        self.projection = keras.layers.Dense(
            channels, kernel_initializer=_mean_of_views, name="projection", dtype=self.dtype_policy
        )
        self.projection.build((None, views * channels))

    def call(self, views: Tensor) -> Tensor:
        """Project views (B, V, h, w, c) to (B, h, w, c)."""
        _, count, *positions, channels = views.shape
        last = len(views.shape) - 1
        beside = ops.transpose(views, (0, *range(2, last), 1, last))
        return self.projection(ops.reshape(beside, (-1, *positions, count * channels)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h, w, c)."""
        return (input_shape[0], *input_shape[2:])


def _mean_of_views(shape: Shape, dtype: Any = None) -> Tensor:
    """Return the (V·c, c) matrix that averages V views."""
    views = shape[0] // shape[1]
    return ops.tile(ops.eye(shape[1], dtype=dtype), (views, 1)) / views
