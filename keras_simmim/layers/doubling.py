"""Maps of twice the size, by one product."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class Doubling(keras.layers.Conv2DTranspose):
    """Run maps through a transposed 2×2 convolution with a stride of 2, as one product.

    Every position becomes four, and none of them another's: that is a product of rows and a matrix,
    for which every backend has its fastest code. Weights are those of
    `keras.layers.Conv2DTranspose`.

    Args:
        filters: channels of the result.
        **kwargs: passed to `keras.layers.Layer`.

    Example:
    ```python
    import keras
    from keras_simmim.layers.doubling import Doubling

    Doubling(5)(keras.random.normal((2, 4, 6, 3))).shape   # (2, 8, 12, 5)
    ```
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, 2, strides=2, data_format="channels_last", **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        """Turn maps (B, h, w, c) into maps (B, 2·h, 2·w, filters)."""
        _, rows, columns, channels = inputs.shape
        # (2, 2, filters, c) to (c, 2·2·filters).
        kernel = ops.reshape(ops.transpose(self.kernel, (3, 0, 1, 2)), (channels, -1))
        four = ops.matmul(ops.reshape(inputs, (-1, channels)), kernel)
        four = ops.reshape(four, (-1, rows, columns, 2, 2, self.filters)) + self.bias
        maps = ops.transpose(four, (0, 1, 3, 2, 4, 5))
        return ops.reshape(maps, (-1, 2 * rows, 2 * columns, self.filters))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**keras.layers.Layer.get_config(self), "filters": self.filters}
