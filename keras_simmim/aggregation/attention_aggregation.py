"""Attention over the views: learned weights at every position."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class AttentionAggregation(keras.layers.Layer):
    """Average the views with learned weights, (B, V, h, w, c) → (B, h, w, c).

    At every position a linear layer scores each view's features, and the softmax over views
    weights them. It starts as their mean, and takes any number of views.

    Args:
        **kwargs: passed to `keras.layers.Layer`.

    Source: Ilse et al., "Attention-based Deep Multiple Instance Learning", ICML 2018, equation 8
    without its hidden layer.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    views = keras.random.normal((8, 3, 7, 7, 64))
    ks.aggregation.AttentionAggregation()(views).shape   # (8, 7, 7, 64)
    ```
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # A bias would cancel in the softmax; zeros weight all views alike.
        self.scorer = keras.layers.Dense(
            1, use_bias=False, kernel_initializer="zeros", name="scorer", dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape) -> None:
        """Create the scoring layer for c channels."""
        self.scorer.build((None, input_shape[-1]))

    def call(self, views: Tensor) -> Tensor:
        """Average views (B, V, h, w, c) by attention: (B, h, w, c)."""
        if views.shape[1] == 1:
            return views[:, 0]
        weights = ops.softmax(ops.cast(self.scorer(views), "float32"), axis=1)
        return ops.sum(views * ops.cast(weights, views.dtype), axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h, w, c)."""
        return (input_shape[0], *input_shape[2:])
