"""The orientation in EXIF data, which says how the camera was held, and what it does to boxes.

Orientations 5 to 8 exchange rows and columns; then 2, 3, 6 and 7 mirror left to right, and 3, 4, 7
and 8 top to bottom. Source: JEITA CP-3451C, Exif 2.3, tag 0x0112.
"""

from typing import Any

import numpy as np
import tensorflow as tf

ENTRIES = 128  # of the first directory; cameras write a dozen or two
TOP_TO_BOTTOM, LEFT_TO_RIGHT = (3, 4, 7, 8), (2, 3, 6, 7)  # what is mirrored
SHORT, LONG = 3, 4  # the types of a number


def exif_orientation(exif: tf.Tensor) -> tf.Tensor:
    """Return the orientation that EXIF data states, int32, 1 to 8, or 1 if it states none.

    Args:
        exif: scalar string tensor, a TIFF without pixels.
    """
    size = tf.strings.length(exif)
    order = tf.strings.substr(exif, 0, 2)
    is_little = order == b"II"
    directory = tf.clip_by_value(_number(exif, tf.minimum(4, size), 4, is_little), 0, size)
    count = tf.minimum(_number(exif, directory, 2, is_little), ENTRIES)
    first = tf.minimum(directory + 2, size)
    count = tf.minimum(count, (size - first) // 12)
    entries = tf.io.decode_raw(tf.strings.substr(exif, first, 12 * count), tf.uint8)
    entries = tf.cast(tf.reshape(entries, (-1, 12)), tf.int32)

    def numbers(start: int) -> tf.Tensor:
        one, other = entries[:, start], entries[:, start + 1]
        return tf.where(is_little, one + 256 * other, other + 256 * one)

    tags, types = numbers(0), numbers(2)
    values = tf.where(is_little | (types == SHORT), numbers(8), numbers(10))
    is_stated = (tags == 0x0112) & ((types == SHORT) | (types == LONG))
    stated = tf.reduce_sum(tf.where(is_stated, values, 0))
    is_valid = (is_little | (order == b"MM")) & (stated >= 1) & (stated <= 8)
    return tf.where(is_valid, stated, 1)


def displayed_shape(shape: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Return the height and width, int32 (2,), of a stored image as it is looked at."""
    return tf.where(orientation >= 5, shape[1::-1], shape[:2])


def stored_box(box: tf.Tensor, shape: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Return where a box of the displayed image lies in the stored one.

    Args:
        box: int32 tensor `[top, left, height, width]` in the displayed image.
        shape: height and width of the displayed image.
        orientation: 1 to 8.
    """
    sides = box[2:]
    corner = tf.where(_mirrors(orientation), shape - box[:2] - sides, box[:2])
    is_turned = orientation >= 5
    return tf.concat([tf.where(is_turned, part[::-1], part) for part in (corner, sides)], axis=0)


def displayed(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Return a stored image (height, width, channels), or a part of it, as it is looked at."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    mirrors = tf.concat([_mirrors(orientation), [False]], axis=0)
    return tf.raw_ops.Reverse(tensor=image, dims=mirrors)


def turned(image: np.ndarray, orientation: Any) -> np.ndarray:
    """Return a stored array (height, width, channels) as it is looked at; 1 for what is none."""
    if orientation not in range(2, 9):
        return image
    image = image.swapaxes(0, 1) if orientation >= 5 else image
    image = image[::-1] if orientation in TOP_TO_BOTTOM else image
    return image[:, ::-1] if orientation in LEFT_TO_RIGHT else image


def _mirrors(orientation: tf.Tensor) -> tf.Tensor:
    """Return whether top and bottom, and whether left and right, are exchanged, bool (2,)."""
    codes = tf.constant([TOP_TO_BOTTOM, LEFT_TO_RIGHT])
    return tf.reduce_any(codes == orientation, axis=1)


def _number(text: tf.Tensor, start: tf.Tensor, count: int, is_little: tf.Tensor) -> tf.Tensor:
    """Return the unsigned number in bytes of `text`, with zeros where they are missing."""
    digits = tf.io.decode_raw(tf.strings.substr(text, start, count), tf.uint8, fixed_length=count)
    digits = tf.cast(digits, tf.int32)
    digits = tf.where(is_little, digits[::-1], digits)
    return tf.reduce_sum(digits * [256**power for power in range(count - 1, -1, -1)])
