"""Convolutions with what stands behind each of them in decoders and heads."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.group_norm import GroupNorm


@keras.saving.register_keras_serializable("keras_simmim")
class ConvolutionBlock(keras.layers.Layer):
    """Run maps through 3×3 convolutions, each with a group norm of 8 groups and GELU.

    Args:
        filters: channels of each convolution; there are fewer groups where 8 do not divide them.
        count: number of convolutions.
        **kwargs: passed to `keras.layers.Layer`.

    Source: Wu and He, "Group Normalization", ECCV 2018.

    Example:
    ```python
    import keras
    from keras_simmim.layers.convolution_block import ConvolutionBlock

    ConvolutionBlock(16)(keras.random.normal((2, 4, 6, 3))).shape   # (2, 4, 6, 16)
    ```
    """

    def __init__(self, filters: int, count: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.count = count

    def build(self, input_shape: Shape) -> None:
        """Create the weights for maps (B, h, w, c)."""
        self.convolutions, self.norms = [], []
        groups = next(n for n in (8, 4, 2, 1) if self.filters % n == 0)
        shape = tuple(input_shape)
        for number in range(self.count):
            convolution = keras.layers.Conv2D(
                self.filters,
                3,
                padding="same",
                data_format="channels_last",
                name=f"convolution_{number}",
                dtype=self.dtype_policy,
            )
            norm = GroupNorm(groups, name=f"norm_{number}", dtype=self.dtype_policy)
            convolution.build(shape)
            shape = (*shape[:3], self.filters)
            norm.build(shape)
            self.convolutions.append(convolution)
            self.norms.append(norm)

    def call(self, features: Tensor) -> Tensor:
        """Turn maps (B, h, w, c) into maps (B, h, w, filters)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = ops.gelu(norm(convolution(features)))
        return features

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h, w, filters)."""
        return (*input_shape[:3], self.filters)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "filters": self.filters, "count": self.count}
