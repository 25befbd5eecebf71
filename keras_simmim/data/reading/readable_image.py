"""What a crop asks of an image, whatever the image is kept in."""

from typing import Protocol

import tensorflow as tf


class ReadableImage(Protocol):
    """Know an image's shape, and give the pixels of any part of it."""

    @property
    def shape(self) -> tf.Tensor:
        """Return an int32 tensor that starts with the image's height and width."""

    def part(self, box: tf.Tensor) -> tf.Tensor:
        """Return the pixels in a box (box height, box width, channels), uint8 or float32.

        Args:
            box: int32 tensor `[top, left, height, width]` in pixels of the image.
        """
