"""The crop of one image: drawn, read and done."""

import tensorflow as tf

from keras_simmim.data.geometry.apply_crop import apply_crop
from keras_simmim.data.geometry.crop_arguments import Crop
from keras_simmim.data.geometry.draw_crop import draw_crop
from keras_simmim.data.reading.readable_image import ReadableImage


def crop_image(image: ReadableImage, crop: Crop, seed: tf.Tensor | None = None) -> tf.Tensor:
    """Return the crop of one image, of which no more than the crop is decoded.

    Args:
        image: the image, open.
        crop: the description of the crop.
        seed: int64 tensor (2,) that determines a random crop.

    Returns:
        A uint8 tensor (height, width, channels) of the crop's shape.
    """
    drawn = draw_crop(crop, image.shape, seed)
    return apply_crop(drawn, image.part(drawn.box))
