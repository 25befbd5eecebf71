"""Features back to pixels: one linear layer and a pixel shuffle."""

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor
from keras_simmim.heads.head import Head


@keras.saving.register_keras_serializable("keras_simmim")
class ReconstructionHead(Head):
    """Predict the pixels of every position with a 1×1 convolution and a pixel shuffle.

    The projection's outputs are ordered (channel, row, column), as torch's PixelShuffle has them.

    Args:
        image_shape: (H, W, C) of the images to predict; if None, `SimMIM` builds it for its own.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: when built, for features whose height or width does not divide the image's.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.3.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    head = ks.heads.ReconstructionHead(image_shape=(96, 96, 3))
    head(keras.random.normal((2, 12, 12, 128))).shape   # (2, 96, 96, 3)
    ```
    """

    def build(self, input_shape: Shape) -> None:
        """Create the projection for features of shape (B, h, w, c)."""
        height, width, channels = self.target_shape
        _, rows, columns, _ = input_shape
        if not rows or not columns or height % rows or width % columns:
            raise ValueError(
                f"ReconstructionHead needs features whose height and width divide "
                f"image_shape={self.target_shape}, got input_shape={tuple(input_shape)}."
            )
        self.stride = (height // rows, width // columns)
        self.projection = keras.layers.Dense(
            channels * self.stride[0] * self.stride[1], name="projection", dtype=self.dtype_policy
        )
        self.projection.build(input_shape)
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))

    def named_weights(self) -> dict[str, keras.Variable]:
        """Give the projection's weights by their names."""
        return {"kernel": self.projection.kernel, "bias": self.projection.bias}

    def call(self, features: Tensor) -> Tensor:
        """Predict pixels: (B, h, w, c) → (B, H, W, C)."""
        _, rows, columns, _ = features.shape
        height, width, channels = self.target_shape
        values = ops.reshape(self.projection(features), (-1, rows, columns, channels, *self.stride))
        return ops.reshape(ops.transpose(values, (0, 1, 4, 2, 5, 3)), (-1, height, width, channels))
