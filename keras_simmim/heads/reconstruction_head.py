"""Features back to pixels: one linear layer and a pixel shuffle."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class ReconstructionHead(keras.layers.Layer):
    """Predicts the pixels of every position with a 1×1 convolution and a pixel shuffle.

    The projection's outputs are ordered (channel, row, column), as torch's PixelShuffle has them.

    Args:
        image_shape: (H, W, C) of the images to predict; `SimMIM` fills in its backbone's if None.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: when built, for features whose height or width does not divide the image's.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.3.

    Example:
    ```python
    head = ReconstructionHead(image_shape=(96, 96, 3))
    head(keras.random.normal((2, 12, 12, 128))).shape   # (2, 96, 96, 3)
    ```
    """

    def __init__(self, image_shape: tuple[int, int, int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_shape: Any = None if image_shape is None else tuple(image_shape)

    def build(self, input_shape: Shape) -> None:
        """Create the projection for features of shape (B, h, w, c)."""
        if self.image_shape is None:
            raise ValueError(
                "image_shape must be (height, width, channels) before build, got None."
            )
        height, width, channels = self.image_shape
        _, rows, columns, _ = input_shape
        if not rows or not columns or height % rows or width % columns:
            raise ValueError(
                f"ReconstructionHead needs features whose height and width divide "
                f"image_shape={self.image_shape}, got input_shape={tuple(input_shape)}."
            )
        self.stride = (height // rows, width // columns)
        self.projection = keras.layers.Dense(
            channels * self.stride[0] * self.stride[1], name="projection", dtype=self.dtype_policy
        )
        self.projection.build(input_shape)

    def call(self, features: Tensor) -> Tensor:
        """(B, h, w, c) → (B, H, W, C)."""
        _, rows, columns, _ = features.shape
        height, width, channels = self.image_shape
        values = ops.reshape(self.projection(features), (-1, rows, columns, channels, *self.stride))
        return ops.reshape(ops.transpose(values, (0, 1, 4, 2, 5, 3)), (-1, height, width, channels))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, H, W, C)."""
        return (input_shape[0], *self.image_shape)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "image_shape": self.image_shape}
