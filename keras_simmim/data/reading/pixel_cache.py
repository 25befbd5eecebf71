"""Pixels of images that are decoded once and kept."""

import os
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.geometry.apply_crop import shrink
from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.pixel_image import PixelImage
from keras_simmim.data.reading.readable_image import ReadableImage

AUTO, MEMORY, DISK = "auto", "memory", "disk"
_MOST_BYTES = 2**30  # of pixels that are kept without being asked for


def fits_in_memory(count: int, shorter_side: int) -> bool:
    """Say whether the pixels of so many photographs, of 4 to 3, are few enough to be kept."""
    return count * 4 * shorter_side**2 <= _MOST_BYTES


class PixelCache:
    """Keep the pixels of images from their first epoch on, no more of them than crops need.

    Args:
        count: number of images.
        place: "memory", or "disk" for a file among the system's temporary ones, which is gone with
            the process.
        shorter_side: of an image, in pixels, to which a larger one is reduced as it is decoded;
            None keeps images as they are.
    """

    def __init__(self, count: int, place: str, shorter_side: int | None) -> None:
        self.shorter_side = shorter_side
        # Of no name, so that nothing is left of it however the process ends.
        self.file = tempfile.TemporaryFile() if place == DISK else None  # noqa: SIM115
        self._kept: list[Any] = [None] * count
        self._end = 0
        self._lock = threading.Lock()
        self._type: tuple[tf.DType, int | None] = (tf.uint8, None)

    def image(self, index: tf.Tensor, open_image: Callable[[], ReadableImage]) -> PixelImage:
        """Return an image, which is opened and decoded unless it is kept.

        Args:
            index: its number, int64 scalar.
            open_image: gives the image as its file has it.
        """

        def decoded() -> tf.Tensor:
            pixels = self._decoded(open_image())
            self._type = pixels.dtype, pixels.shape[-1]
            return tf.numpy_function(self._keep, [index, pixels], pixels.dtype)

        # The first branch is traced first, and tells the type of the second.
        pixels = tf.cond(
            tf.numpy_function(self._is_missing, [index], tf.bool),
            decoded,
            lambda: tf.numpy_function(self._pixels, [index], self._type[0]),
        )
        return PixelImage(tf.ensure_shape(pixels, (None, None, self._type[1])))

    def _decoded(self, image: ReadableImage) -> tf.Tensor:
        """Decode an image, reduced to the size in which it is kept."""
        shape, side = image.shape[:2], self.shorter_side
        if side is None:
            return image.part(whole_box(shape))
        shorter = tf.reduce_min(shape)
        size = tf.cast(tf.round(shape * side / shorter), tf.int32)
        return tf.cond(
            shorter > side,
            lambda: shrink(image.part(whole_box(shape), (side, side)), size),
            lambda: image.part(whole_box(shape)),
        )

    def _is_missing(self, index: np.ndarray) -> np.bool_:
        return np.bool_(self._kept[int(index)] is None)

    def _keep(self, index: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        if self.file is None:
            self._kept[int(index)] = pixels.copy()
            return pixels
        with self._lock:
            start = self._end
            self._end += pixels.nbytes
        os.pwrite(self.file.fileno(), pixels.tobytes(), start)
        self._kept[int(index)] = start, pixels.shape, pixels.dtype
        return pixels

    def _pixels(self, index: np.ndarray) -> np.ndarray:
        kept = self._kept[int(index)]
        if self.file is None:
            return kept
        start, shape, dtype = kept
        size = int(np.prod(shape)) * dtype.itemsize
        return np.frombuffer(os.pread(self.file.fileno(), size, start), dtype).reshape(shape)
