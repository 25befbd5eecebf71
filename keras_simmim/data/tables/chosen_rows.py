"""Some of the images of a table."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_simmim.data.tables.image_table import ImageTable


class ChosenRows:
    """Number some images of a table anew, as an `ImageTable`.

    Args:
        table: of all images.
        indices: those that are chosen.
    """

    def __init__(self, table: ImageTable, indices: Sequence[int]) -> None:
        self.table = table
        self.is_encoded = table.is_encoded
        self.indices = np.asarray(indices, np.int64)
        with tf.device("CPU:0"):
            self._places = tf.constant(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """Return what the table calls an image."""
        return self.table.name(int(self.indices[index]))

    def read(self, index: int) -> bytes:
        """Return the bytes of an image."""
        return self.table.read(int(self.indices[index]))

    def contents(self, index: tf.Tensor) -> tf.Tensor:
        """Return the bytes of an image, a scalar string tensor."""
        return self.table.contents(self._places[index])
