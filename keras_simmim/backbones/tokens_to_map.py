"""A sequence of tokens as the map that it stands for."""

import math
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class TokensToMap(keras.layers.Layer):
    """Lay tokens (B, k + h·w, c) out as a map (B, h, w, c) of the image's proportions.

    Args:
        image_size: (H, W), which h and w divide alike; k is the smallest number that allows it.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: when built, for tokens that fill no such map.
    """

    def __init__(self, image_size: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_size = tuple(image_size)

    def build(self, input_shape: Shape) -> None:
        """Find the map's size."""
        height, width = self.image_size
        common = math.gcd(height, width)
        sizes = [
            (height // patch, width // patch)
            for patch in range(1, common + 1)
            if common % patch == 0 and height * width // patch**2 <= input_shape[1]
        ]
        # At most a class token and a few registers stand before the patches.
        if not sizes or input_shape[1] - sizes[0][0] * sizes[0][1] > 16:
            raise ValueError(
                f"{input_shape[1]} tokens fill no map of an image of {height}×{width} pixels."
            )
        self.size = sizes[0]
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))

    def call(self, tokens: Tensor) -> Tensor:
        """Lay tokens out: (B, k + h·w, c) → (B, h, w, c)."""
        rows, columns = self.size
        return ops.reshape(tokens[:, -rows * columns :], (-1, rows, columns, tokens.shape[-1]))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "image_size": self.image_size}
