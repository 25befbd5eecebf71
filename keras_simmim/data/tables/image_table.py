"""What a source asks of encoded images that are read by their numbers."""

from typing import Protocol

import tensorflow as tf


class ImageTable(Protocol):
    """Know how many images there are and what they are called, and give the bytes of each."""

    def __len__(self) -> int:
        """Return the number of images."""

    def name(self, index: int) -> str:
        """Return what logs and errors call an image."""

    def contents(self, index: tf.Tensor) -> tf.Tensor:
        """Return the bytes of an image as the file holds them, a scalar string tensor.

        Args:
            index: int64 scalar.

        Raises:
            tf.errors.OpError: if they cannot be read; eagerly an OSError or a ValueError, too.
        """
