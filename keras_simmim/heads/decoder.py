"""The contract of every decoder: maps of several scales and the image in, pixels' scores out."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor


class Decoder(keras.layers.Layer):
    """Score the classes of every pixel from maps of several scales.

    `build` takes the shape of the normalized images and those of the maps, finest first.

    Args:
        num_classes: number of classes, at least 2.
        width: channels of the finest convolutions.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for numbers out of range.

    Example:
    ```python
    import keras
    import keras_simmim as ks
    from keras_simmim.heads.decoder import resized

    class FinestAlone(ks.heads.Decoder):
        def build(self, input_shape):
            self.scoring = self.convolution("scores", self.num_classes, 1, input_shape[1])

        def call(self, inputs):
            return resized(self.scoring(inputs[1]), inputs[0].shape[1:3])

    images, features = keras.random.normal((2, 16, 24, 3)), keras.random.normal((2, 4, 6, 8))
    FinestAlone(num_classes=5, width=8)([images, features]).shape   # (2, 16, 24, 5)
    ```
    """

    def __init__(self, num_classes: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"num_classes must be an integer of at least 2, got {num_classes!r}.")
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"width must be a positive integer, got {width!r}.")
        self.num_classes = num_classes
        self.width = width

    def convolution(self, name: str, filters: int, kernel: int, shape: Shape) -> Any:
        """Make a convolution for maps of a shape, with the decoder's precision."""
        layer = keras.layers.Conv2D(
            filters,
            kernel,
            padding="same",
            data_format="channels_last",
            name=name,
            dtype=self.dtype_policy,
        )
        layer.build(shape)
        return layer

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Return (B, H, W, K)."""
        return (*input_shape[0][:3], self.num_classes)

    def compute_output_spec(self, inputs: list[Tensor], **_: Any) -> keras.KerasTensor:
        """Return the symbol of the scores."""
        shape = self.compute_output_shape([each.shape for each in inputs])
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes, "width": self.width}


def resized(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps (B, h, w, c) bilinearly to a size (rows, columns), in float32."""
    return ops.image.resize(
        ops.cast(features, "float32"), size, interpolation="bilinear", data_format="channels_last"
    )
