"""Boxes to cut out of an image, as int32 tensors `[top, left, height, width]` in pixels."""

import math

import tensorflow as tf

TRIES = 10
DRAWS = 2 * TRIES + 2


def random_box(
    shape: tf.Tensor,
    draws: tf.Tensor,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> tf.Tensor:
    """Return the box of a random resized crop, as torchvision's `RandomResizedCrop` draws it.

    The first of ten boxes that fits into the image is taken. If none fits, it is the largest box
    whose ratio is within the bounds, so that a valid box always comes back.

    Args:
        shape: int32 tensor that starts with the image's height and width.
        draws: float32 tensor (`DRAWS`,) of uniform numbers in [0, 1).
        scale: bounds of the box's share of the image's area.
        ratio: bounds of the box's width divided by its height, drawn log-uniformly.
    """
    sides = tf.cast(shape[:2], tf.float32)
    low, high = math.log(ratio[0]), math.log(ratio[1])
    areas = (scale[0] + draws[:TRIES] * (scale[1] - scale[0])) * sides[0] * sides[1]
    ratios = tf.exp(low + draws[TRIES : 2 * TRIES] * (high - low))
    tried = tf.round(tf.sqrt(tf.stack([areas / ratios, areas * ratios], axis=-1)))
    largest = tf.minimum(sides, tf.round(sides[::-1] / [ratio[0], 1 / ratio[1]]))
    candidates = tf.maximum(tf.concat([tried, largest[None]], axis=0), 1.0)
    first = tf.argmax(tf.reduce_all(candidates <= sides, axis=-1))
    box = candidates[first]
    room = sides - box
    corner = tf.minimum(tf.floor(draws[2 * TRIES :] * (room + 1.0)), room)
    return tf.cast(tf.concat([corner, box], axis=0), tf.int32)


def central_box(shape: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Return the largest central box with the proportions of `size`, a `(height, width)`.

    Args:
        shape: int32 tensor that starts with the image's height and width.
        size: height and width, of which the ratio counts.
    """
    sides = tf.cast(shape[:2], tf.float32)
    enlargement = tf.reduce_min(sides / size)
    box = tf.clip_by_value(tf.round(tf.constant(size, tf.float32) * enlargement), 1.0, sides)
    return tf.cast(tf.concat([tf.floor((sides - box) / 2), box], axis=0), tf.int32)


def whole_box(shape: tf.Tensor) -> tf.Tensor:
    """Return the box that is the whole image."""
    return tf.concat([[0, 0], shape[:2]], axis=0)


def cut(image: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Return the part of `image` (height, width, channels) that lies in `box`."""
    return image[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]
