"""What a source asks of encoded images that are read by their numbers."""

from typing import Protocol

import tensorflow as tf


class ImageTable(Protocol):
    """Know how many images there are and what they are called, and give the bytes of each.

    Attributes:
        is_encoded: whether the names say that TensorFlow's readers know all images; False if that
            is not known.
    """

    is_encoded: bool

    def __len__(self) -> int:
        """Return the number of images."""

    def name(self, index: int) -> str:
        """Return what logs and errors call an image."""

    def read(self, index: int) -> bytes:
        """Return the bytes of an image as the file holds them.

        Raises:
            OSError: if they cannot be read.
            ValueError: if there are none.
        """

    def contents(self, index: tf.Tensor) -> tf.Tensor:
        """Return what `read` returns, a scalar string tensor.

        Args:
            index: int64 scalar.

        Raises:
            tf.errors.OpError: if they cannot be read; eagerly an OSError or a ValueError, too.
        """
