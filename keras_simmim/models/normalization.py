"""The first layer of every model of images: their shape is checked, their pixels normalized."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.fitting_images import fitting_images

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@keras.saving.register_keras_serializable("keras_simmim")
class Normalize(keras.layers.Layer):
    """Subtract the mean of each channel and divide by its deviation, in float32.

    Args:
        image_shape: (H, W, C) of the images; others are refused.
        mean: C values, in 0–255 units.
        std: C values, likewise.
        **kwargs: passed to `keras.layers.Layer`.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_simmim.models.normalization import Normalize

    normalize = Normalize((2, 2, 1), mean=(100.0,), std=(50.0,))
    float(normalize(np.full((1, 2, 2, 1), 200, "uint8"))[0, 0, 0, 0])   # 2.0
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.image_shape: Any = tuple(image_shape)
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.built = True

    def call(self, images: Tensor) -> Tensor:
        """Normalize images (B, H, W, C) of 0–255, uint8 or float: float32, the same shape.

        Raises:
            ValueError: for images of another shape.
        """
        images = ops.cast(fitting_images(images, self.image_shape), self.compute_dtype)
        offset = [-center / value for center, value in zip(self.mean, self.std, strict=True)]
        scale = [1 / value for value in self.std]
        return images * ops.cast(scale, images.dtype) + ops.cast(offset, images.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's own shape."""
        return input_shape

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "mean": self.mean,
            "std": self.std,
        }


def per_channel(
    name: str, given: float | tuple[float, ...] | None, imagenet: tuple[float, ...], channels: int
) -> tuple[float, ...]:
    """Return one value for each channel, from one value, one for each, or ImageNet's.

    Args:
        name: "mean" or "std", for the error.
        given: one number, one for each channel, or None for ImageNet's.
        imagenet: ImageNet's three values; their average for other numbers of channels.
        channels: number of channels.

    Returns:
        A tuple of `channels` floats.

    Raises:
        ValueError: for another number of values, or deviations that are not positive.
    """
    if given is None:
        return imagenet if channels == 3 else (sum(imagenet) / 3,) * channels
    values = tuple(float(value) for value in np.atleast_1d(given))
    values = values * channels if len(values) == 1 else values
    if len(values) != channels or (name == "std" and min(values) <= 0):
        positive = "positive " if name == "std" else ""
        raise ValueError(
            f"{name} must be one {positive}number or one for each of {channels} channels, "
            f"got {given!r}."
        )
    return values
