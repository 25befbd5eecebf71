"""The crops of one image: drawn, read and done."""

import tensorflow as tf

from keras_simmim.data.geometry.apply_crop import apply_crop
from keras_simmim.data.geometry.crop_arguments import Crop
from keras_simmim.data.geometry.draw_crop import draw_crop
from keras_simmim.data.reading.readable_image import ReadableImage

# Far above the number of any image in an epoch.
_POSITIONS = 2**56


def crop_image(image: ReadableImage, crop: Crop, seed: tf.Tensor | None = None) -> tf.Tensor:
    """Return the crop of one image, of which no more than the crop is decoded.

    Args:
        image: the image, open.
        crop: the description of the crop.
        seed: int64 tensor (2,) that determines a random crop.

    Returns:
        A uint8 or float32 tensor (height, width, channels) of the crop's shape, as the image is.
    """
    drawn = draw_crop(crop, image.shape, seed)
    return apply_crop(drawn, image.part(drawn.box, drawn.size))


def crop_repeatedly(image: ReadableImage, crop: Crop, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Return several crops of one image, each drawn by itself.

    The first is the one that `crop_image` returns for the same seed.

    Args:
        image: the image, open.
        crop: the description of the crops.
        count: how many, 1 to 127.
        seed: int64 tensor (2,), the seed of the epoch and the position in it.

    Returns:
        A uint8 or float32 tensor (count, height, width, channels).
    """
    # No position reaches the next crop's numbers, and so no two crops of any images share a seed.
    offsets = [tf.constant([0, number * _POSITIONS], tf.int64) for number in range(count)]
    first = tf.cast(seed, tf.int64)
    return tf.stack([crop_image(image, crop, first + offset) for offset in offsets])
