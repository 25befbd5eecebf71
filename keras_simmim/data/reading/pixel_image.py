"""Images that are in memory already."""

from typing import NamedTuple

import tensorflow as tf

from keras_simmim.data.geometry.boxes import cut


class PixelImage(NamedTuple):
    """Give parts of an image that is in memory.

    Attributes:
        pixels: uint8 or float32 tensor (height, width, channels).
    """

    pixels: tf.Tensor

    @property
    def shape(self) -> tf.Tensor:
        """Return height, width and channels, int32 (3,)."""
        return tf.shape(self.pixels)

    def part(self, box: tf.Tensor, size: tuple[int, int] | None = None) -> tf.Tensor:
        """Return all pixels in a box `[top, left, height, width]`, of their type."""
        return cut(self.pixels, box)
