"""A drawn crop, done to an image."""

import tensorflow as tf

from keras_simmim.data.geometry.draw_crop import DrawnCrop
from keras_simmim.data.graphs import apart


def apply_crop(drawn: DrawnCrop, part: tf.Tensor) -> tf.Tensor:
    """Return the crop of an image: what lies in its box, resized and mirrored.

    Args:
        drawn: the crop.
        part: the pixels in `drawn.box`, uint8 (box height, box width, channels). The reader of an
            image cuts them out, and so decodes no more than them.

    Returns:
        A uint8 tensor (height, width, channels) of the size `drawn.size`.
    """
    resized = tf.ensure_shape(_resize(part, drawn.size), (*drawn.size, part.shape[-1]))
    return _mirror(resized, drawn.mirrored)


def _mirror(pixels: tf.Tensor, mirrored: tf.Tensor | bool) -> tf.Tensor:
    """Return `pixels` (height, width, channels), mirrored left to right if so drawn."""
    if mirrored is False:
        return pixels
    # `tf.reverse`: a slice with a step of -1 takes 1.5 ms more at 192×192 pixels.
    return tf.cond(mirrored, lambda: tf.reverse(pixels, [1]), lambda: pixels)


def _resize(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Return a uint8 image resized to `size`: bilinearly, or by averages to less than a half.

    Root mean square differences from Pillow's Lanczos filter on photographs, of 255: shrunk by 1.5
    or 2, bilinear 1.8 and 2.4, averages 2.0 and 2.0, Pillow's bilinear 2.6 and 3.0; by 4, bilinear
    6.8, averages 2.6, Pillow's bilinear 3.6. Averages take 0.4 ms more at 192×192 pixels.
    """
    resized = tf.cond(
        tf.reduce_all(tf.shape(image)[:2] <= [2 * side for side in size]),
        lambda: tf.image.resize(image, size, method="bilinear"),
        lambda: _shrink(image, tf.constant(size)),
    )
    return tf.cast(resized + 0.5, tf.uint8)


@apart(tf.TensorSpec((None, None, None), tf.uint8), tf.TensorSpec((2,), tf.int32))
def _shrink(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return a float32 image resized to `size` by averages where no side grows."""
    return tf.cond(
        tf.reduce_all(tf.shape(image)[:2] >= size),
        lambda: tf.image.resize(image, size, method="area"),
        lambda: tf.image.resize(image, size, method="bilinear", antialias=True),
    )
