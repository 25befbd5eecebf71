"""Images that are a file each."""

import os
from collections.abc import Sequence

import tensorflow as tf

from keras_simmim.data.reading.formats import EXTENSIONS


class FileTable:
    """Read images from files, as an `ImageTable`.

    Args:
        paths: of the files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self.is_encoded = all(path.lower().endswith(EXTENSIONS) for path in paths)
        with tf.device("CPU:0"):
            self._encoded = tf.constant([os.fsencode(path) for path in paths], tf.string)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """Return the path of a file."""
        return self.paths[index]

    def read(self, index: int) -> bytes:
        """Return the bytes of a file."""
        with open(os.fsencode(self.paths[index]), "rb") as file:
            return file.read()

    def contents(self, index: tf.Tensor) -> tf.Tensor:
        """Return the bytes of a file, a scalar string tensor."""
        return tf.io.read_file(self._encoded[index])
