"""PNGs of 16 bits without loss."""

import tensorflow as tf

from keras_simmim.data.reading.exif import may_have_exif, stated_orientation
from keras_simmim.data.reading.formats import TOO_MANY, check
from keras_simmim.data.reading.headers import header, starts_with, stated_pixels
from keras_simmim.data.reading.orientation import displayed


def is_deep_png(contents: tf.Tensor) -> tf.Tensor:
    """Return whether the bytes of a file are a PNG of 16 bits, a scalar bool."""
    head = header(contents)
    return starts_with(head, b"\x89PNG") & (head[24] == 16)


def decode_deep_png(contents: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Decode a PNG of 16 bits, turned as its EXIF says.

    Args:
        contents: scalar string tensor, the bytes of the file.
        max_pixels: most pixels that its header may state.

    Returns:
        A uint16 tensor (height, width, 1 to 4).

    Raises:
        tf.errors.InvalidArgumentError: if it is damaged, or of too many pixels.
    """
    fits = check(stated_pixels(header(contents)) <= max_pixels, TOO_MANY)
    with tf.control_dependencies([] if fits is None else [fits]):
        contents = tf.identity(contents)
    pixels = tf.io.decode_png(contents, dtype=tf.uint16)
    turn = tf.cond(may_have_exif(contents, "eXIf"), lambda: stated_orientation(contents), lambda: 1)
    return displayed(pixels, turn)
