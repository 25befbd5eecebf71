"""The mean over space: the article's sample network."""

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class SpatialMean(keras.layers.Layer):
    """Average over views and positions: (B, V, h, w, c) → (B, c).

    Source: the sample network of "Self-supervised Modeling with Multi-modal Iterative Masking".

    Example:
    ```python
    import keras
    import keras_simmim as ks

    views = keras.random.normal((8, 3, 7, 7, 64))
    ks.aggregation.SpatialMean()(views).shape   # (8, 64)
    ```
    """

    def call(self, views: Tensor) -> Tensor:
        """Average views (B, V, h, w, c) over all axes between: (B, c)."""
        return ops.mean(views, axis=tuple(range(1, len(views.shape) - 1)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, c)."""
        return (input_shape[0], input_shape[-1])
