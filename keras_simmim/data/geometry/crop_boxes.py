"""A drawn crop, done to the boxes of objects."""

import tensorflow as tf

from keras_simmim.data.geometry.draw_crop import DrawnCrop
from keras_simmim.data.target_values import IGNORED_BOX, NO_BOX


def crop_boxes(
    drawn: DrawnCrop, boxes: tf.Tensor, labels: tf.Tensor, min_visible: float = 0.25
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return boxes in the coordinates of a crop, clipped to it.

    A box of label −2 stays, however little of it is visible: what is left of a crowd is still no
    background.

    Args:
        drawn: the crop.
        boxes: float32 (M, 4), (left, top, right, bottom) in pixels of the image, none of which
            reaches beyond it.
        labels: int32 (M,); −1 pads.
        min_visible: share of a box's area, 0 to 1, of which less must not be left.

    Returns:
        The boxes, float32 (M, 4), in pixels of the crop, and their labels, int32 (M,). What left
        the crop has the label −1 and is zero.
    """
    height, width = drawn.size
    top, left, box_height, box_width = tf.unstack(tf.cast(drawn.box, tf.float32))
    start = tf.stack([left, top, left, top])
    sides = tf.stack([box_width, box_height, box_width, box_height])
    visible = tf.clip_by_value(boxes, start, start + sides)
    area, whole = _areas(visible), _areas(boxes)
    is_enough = (area >= min_visible * whole) | (labels == IGNORED_BOX)
    is_left = (labels != NO_BOX) & (area > 0) & is_enough
    moved = (visible - start) * (tf.constant([width, height, width, height], tf.float32) / sides)
    if drawn.mirrored is not False:
        across = width - tf.gather(moved, [2, 0], axis=1)
        mirrored = tf.stack([across[:, 0], moved[:, 1], across[:, 1], moved[:, 3]], axis=1)
        moved = tf.where(drawn.mirrored, mirrored, moved)
    return tf.where(is_left[:, None], moved, 0.0), tf.where(is_left, labels, NO_BOX)


def _areas(boxes: tf.Tensor) -> tf.Tensor:
    """Return the areas (M,) of boxes (M, 4)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
