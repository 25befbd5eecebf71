"""Images that Python reads, a row each of something larger."""

import tensorflow as tf


class RowTable:
    """Read images by a function of their numbers, as an `ImageTable`.

    What derives from it says how many there are, how they are called and how one is read. Several
    threads read at the same time.
    """

    is_encoded = False

    def __len__(self) -> int:
        raise NotImplementedError

    def name(self, index: int) -> str:
        """Return what logs and errors call an image."""
        raise NotImplementedError

    def read(self, index: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            OSError: if they cannot be read.
            ValueError: if there are none.
        """
        raise NotImplementedError

    def contents(self, index: tf.Tensor) -> tf.Tensor:
        """Return the bytes of an image, a scalar string tensor."""
        contents = tf.numpy_function(lambda number: self.read(int(number)), [index], tf.string)
        return tf.ensure_shape(contents, ())
