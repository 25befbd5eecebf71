"""The geometry of one image's crop, drawn as numbers before a pixel is looked at."""

from typing import NamedTuple

import tensorflow as tf

from keras_simmim.data.geometry.boxes import DRAWS, central_box, random_box, whole_box
from keras_simmim.data.geometry.center_crop import CenterCrop
from keras_simmim.data.geometry.crop_arguments import Crop
from keras_simmim.data.geometry.whole_image import WholeImage


class DrawnCrop(NamedTuple):
    """Hold what a crop does to one image, and to all that belongs to its pixels.

    Attributes:
        box: int32 tensor `[top, left, height, width]` in pixels of the image.
        size: height and width that the box is resized to, in pixels.
        mirrored: whether the result is mirrored left to right, a bool scalar; the constant False
            where that is never drawn.
    """

    box: tf.Tensor
    size: tuple[int, int]
    mirrored: tf.Tensor | bool


def draw_crop(crop: Crop, shape: tf.Tensor, seed: tf.Tensor | None = None) -> DrawnCrop:
    """Draw the crop of one image.

    Args:
        crop: the description.
        shape: int32 tensor that starts with the image's height and width.
        seed: int64 tensor (2,) that determines the crop; None for a crop that is not random.

    Returns:
        The same `DrawnCrop` for the same arguments.
    """
    if isinstance(crop, CenterCrop):
        return DrawnCrop(central_box(shape, crop.shape), crop.shape, mirrored=False)
    if isinstance(crop, WholeImage):
        return DrawnCrop(whole_box(shape), crop.shape, mirrored=False)
    draws = tf.random.stateless_uniform((DRAWS + 1,), seed, alg="philox")
    box = random_box(shape, draws[:DRAWS], crop.scale, crop.ratio)
    return DrawnCrop(box, crop.shape, draws[DRAWS] < 0.5 if crop.flip else False)
