"""A drawn crop, done to a mask of classes."""

import tensorflow as tf

from keras_simmim.data.geometry.draw_crop import DrawnCrop
from keras_simmim.data.target_values import IGNORED_PIXEL


def crop_mask(drawn: DrawnCrop, mask: tf.Tensor) -> tf.Tensor:
    """Return the crop of a mask: the classes in its box, resized and mirrored as the image is.

    Each pixel takes the class of the pixel in which its center lies; the centers are those of
    `apply_crop`. Classes are never mixed.

    Args:
        drawn: the crop. Its box may reach beyond the mask.
        mask: the classes of the whole image, uint8 (image height, image width).

    Returns:
        A uint8 tensor (height, width) of the size `drawn.size`, 255 outside of the mask.
    """
    top, left, box_height, box_width = tf.unstack(drawn.box)
    height, width = drawn.size
    rows = top + _centers(height, box_height)
    columns = left + _centers(width, box_width)
    if drawn.mirrored is not False:
        columns = tf.where(drawn.mirrored, columns[::-1], columns)
    sides = tf.shape(mask)
    inside = _within(rows, sides[0])[:, None] & _within(columns, sides[1])
    rows, columns = (
        tf.clip_by_value(places, 0, side - 1)
        for places, side in ((rows, sides[0]), (columns, sides[1]))
    )
    cropped = tf.gather(tf.gather(mask, rows), columns, axis=1)
    cropped = tf.where(inside, cropped, tf.constant(IGNORED_PIXEL, mask.dtype))
    return tf.ensure_shape(cropped, drawn.size)


def _centers(count: int, side: tf.Tensor) -> tf.Tensor:
    """Return in which of `side` pixels the centers of `count` equal parts lie, int32 (count,)."""
    # Whole numbers: a center on the border of two pixels is never rounded to the wrong one.
    return (2 * tf.range(count) + 1) * side // (2 * count)


def _within(places: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Return which places are from 0 to `side` − 1."""
    return (places >= 0) & (places < side)
