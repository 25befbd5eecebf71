"""PNGs of 16 bits without loss. Source: PNG, third edition, 11.2.1 (IHDR)."""

import numpy as np
import tensorflow as tf

from keras_simmim.data.reading.exif import stated_orientation
from keras_simmim.data.reading.orientation import turned
from keras_simmim.data.reading.picture import Picture, usual_names
from keras_simmim.data.reading.stated_size import check_stated_size

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by color type
HEADER = 26  # bytes up to the color type


def is_deep_png(contents: bytes) -> bool:
    """Return whether the bytes of a file are a PNG of 16 bits."""
    return contents.startswith(b"\x89PNG") and contents[24:25] == b"\x10"


def read_deep_png(contents: bytes, max_pixels: int) -> Picture:
    """Read a PNG of 16 bits, turned as its EXIF says.

    Args:
        contents: the bytes of the file.
        max_pixels: most pixels that its header may state.

    Raises:
        ValueError: if it states more.
        tf.errors.InvalidArgumentError: if it is damaged.
    """
    width, height = (int.from_bytes(contents[start : start + 4]) for start in (16, 20))
    channels = CHANNELS.get(int.from_bytes(contents[HEADER - 1 : HEADER]), 4)
    check_stated_size(height, width, channels, np.dtype("u2"), max_pixels)
    with tf.device("CPU:0"):
        pixels: np.ndarray = tf.io.decode_png(contents, dtype=tf.uint16).numpy()
        if b"eXIf" in contents:
            pixels = turned(pixels, int(stated_orientation(tf.constant(contents))))
    return Picture(pixels, usual_names(pixels.shape[-1]), (0.0, 65535.0))
