"""Images that are a file each."""

import os
from collections.abc import Sequence

import tensorflow as tf


class FileTable:
    """Read images from files, as an `ImageTable`.

    Args:
        paths: of the files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        with tf.device("CPU:0"):
            self._encoded = tf.constant([os.fsencode(path) for path in paths], tf.string)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """Return the path of a file."""
        return self.paths[index]

    def contents(self, index: tf.Tensor) -> tf.Tensor:
        """Return the bytes of a file."""
        return tf.io.read_file(self._encoded[index])
