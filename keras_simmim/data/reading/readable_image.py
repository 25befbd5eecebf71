"""What a crop asks of an image, whatever the image is kept in."""

from typing import Protocol

import tensorflow as tf


class ReadableImage(Protocol):
    """Know an image's shape, and give the pixels of any part of it."""

    @property
    def shape(self) -> tf.Tensor:
        """Return an int32 tensor that starts with the image's height and width."""

    def part(self, box: tf.Tensor, size: tuple[int, int] | None = None) -> tf.Tensor:
        """Return the pixels in a box (height, width, channels), uint8 or float32.

        Args:
            box: int32 tensor `[top, left, height, width]` in pixels of the image.
            size: height and width to which they are resized afterwards: a reader may then give
                fewer pixels than the box has, but no fewer than these; None for all of them.
        """
