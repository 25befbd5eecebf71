"""One class a pixel, in files."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.geometry.crop_mask import crop_mask
from keras_simmim.data.geometry.draw_crop import DrawnCrop
from keras_simmim.data.reading.mask_file import read_mask
from keras_simmim.data.targets.targets import Targets


class FileMasks(Targets):
    """Give the classes of the pixels of each image, read from a file of its own.

    Args:
        paths: of the masks, in the order of the images.
    """

    follow_crop = True

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        with tf.device("CPU:0"):
            self.encoded_paths = tf.constant([os.fsencode(path) for path in paths])

    def of_crop(self, record: Any, shape: tf.Tensor, drawn: DrawnCrop) -> tuple[tf.Tensor, ...]:
        """Return the crop of the mask of an index."""
        path = self.encoded_paths[record]
        mask = tf.numpy_function(_read, (path, shape[:2]), tf.uint8)
        return (crop_mask(drawn, tf.ensure_shape(mask, (None, None))),)

    def why_broken(self, index: int, shape: tuple[int, int]) -> str | None:
        """Return why the mask of an image cannot be used, None if it can."""
        path = self.paths[index]
        try:
            read_mask(path, shape)
        except OSError as error:
            return f"its mask {path!r} cannot be read: {error.strerror}"
        except ValueError as error:
            return f"its mask {path!r} {error}"
        return None


def _read(path: bytes | np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the mask of a path, which TensorFlow gives as bytes or, eagerly, as an array."""
    return read_mask(np.asarray(path).item(), shape)
