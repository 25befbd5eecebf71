"""The EXIF orientation of a JPEG, which says how the camera was held, and what it does to boxes.

Orientations 5 to 8 exchange rows and columns; then 2, 3, 6 and 7 mirror left to right, and 3, 4, 7
and 8 top to bottom. Source: JEITA CP-3451C, Exif 2.3, tag 0x0112.
"""

import tensorflow as tf

EXIF_STARTS = (6, 24)  # at the start of the file, and behind the JFIF header
ENTRIES = 128  # of the first directory; cameras write a dozen or two


def exif_orientation(contents: tf.Tensor) -> tf.Tensor:
    """Return the orientation that a JPEG's EXIF states, 1 to 8, or 1 if it states none.

    Args:
        contents: scalar string tensor, the bytes of a file with "Exif" at one of `EXIF_STARTS`.
    """
    first, second = EXIF_STARTS
    is_first = tf.strings.substr(contents, first, 4) == b"Exif"
    start = tf.minimum(tf.where(is_first, first, second) + 6, tf.strings.length(contents))
    head = tf.strings.substr(contents, start, 8)
    directory = _number(head, 4, 4, head)
    size = tf.strings.length(contents)
    first = tf.minimum(start + tf.clip_by_value(directory, 0, 2**16), size)
    count = tf.minimum(_number(tf.strings.substr(contents, first, 2), 0, 2, head), ENTRIES)
    first = tf.minimum(first + 2, size)
    count = tf.minimum(count, (size - first) // 12)
    entries = tf.io.decode_raw(tf.strings.substr(contents, first, 12 * count), tf.uint8)
    entries = tf.cast(tf.reshape(entries, (-1, 12)), tf.int32)
    tags, values = (
        tf.where(_is_little(head), low + 256 * high, high + 256 * low)
        for low, high in ((entries[:, 0], entries[:, 1]), (entries[:, 8], entries[:, 9]))
    )
    stated = tf.reduce_sum(tf.where(tags == 0x0112, values, 0))
    return tf.where((stated >= 1) & (stated <= 8), stated, 1)


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


def _mirrors(orientation: tf.Tensor) -> tf.Tensor:
    """Return whether top and bottom, and whether left and right, are exchanged, bool (2,)."""
    codes = tf.constant([[3, 4, 7, 8], [2, 3, 6, 7]])
    return tf.reduce_any(codes == orientation, axis=1)


def _is_little(head: tf.Tensor) -> tf.Tensor:
    """Return whether numbers start with their lowest byte, as the head of a TIFF says."""
    return tf.strings.regex_full_match(head, "(?s)II.*")


def _number(text: tf.Tensor, start: int, count: int, head: tf.Tensor) -> tf.Tensor:
    """Return the unsigned number in bytes of `text`, 0 where they are missing."""
    digits = tf.io.decode_raw(text, tf.uint8, fixed_length=start + count)[start:]
    digits = tf.cast(digits, tf.int32)
    digits = tf.where(_is_little(head), digits[::-1], digits)
    return tf.reduce_sum(digits * [256**power for power in range(count - 1, -1, -1)])
