"""One class a pixel, in memory."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.geometry.crop_mask import crop_mask
from keras_simmim.data.geometry.draw_crop import DrawnCrop
from keras_simmim.data.targets.targets import Targets


class ArrayMasks(Targets):
    """Give the classes of the pixels of each image.

    Args:
        masks: uint8 (N, H, W).
    """

    follow_crop = True

    def __init__(self, masks: np.ndarray) -> None:
        with tf.device("CPU:0"):
            self.masks = tf.constant(masks)

    def of_crop(self, record: Any, shape: tf.Tensor, drawn: DrawnCrop) -> tuple[tf.Tensor, ...]:
        """Return the crop of the mask of an index."""
        return (crop_mask(drawn, self.masks[record]),)
