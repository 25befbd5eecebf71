"""The mean over channels: the article's case study."""

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class ChannelMean(keras.layers.Layer):
    """Average over views and channels: (B, V, h, w, c) → (B, h, w, 1).

    Source: the article's case study, H(X) = 1/C' Σ_c X_c.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    views = keras.random.normal((8, 1, 7, 7, 64))
    ks.aggregation.ChannelMean()(views).shape   # (8, 7, 7, 1)
    ```
    """

    def call(self, views: Tensor) -> Tensor:
        """Average views (B, V, h, w, c) over V and c: (B, h, w, 1)."""
        return ops.expand_dims(ops.mean(views, axis=(1, -1)), -1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h, w, 1)."""
        return (input_shape[0], *input_shape[2:-1], 1)
