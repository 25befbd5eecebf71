"""Boxes of objects."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.geometry.crop_boxes import crop_boxes
from keras_simmim.data.geometry.draw_crop import DrawnCrop
from keras_simmim.data.reading.formats import check
from keras_simmim.data.target_values import NO_BOX
from keras_simmim.data.targets.targets import Targets


class Boxes(Targets):
    """Give the boxes of the objects in each image, as many for each, of which some are padding.

    Args:
        boxes: float32 (T, 4), (left, top, right, bottom) in pixels, those of an image together.
        labels: int32 (T,).
        starts: int64 (N,), where the boxes of each image begin.
        counts: int64 (N,), how many there are, `slots` at most.
        slots: boxes given for each image.
        sizes: int32 (N, 2), height and width of the images as far as they are stated, otherwise 0.
    """

    follow_crop = True

    def __init__(
        self,
        boxes: np.ndarray,
        labels: np.ndarray,
        starts: np.ndarray,
        counts: np.ndarray,
        slots: int,
        sizes: np.ndarray,
    ) -> None:
        self.slots = slots
        self.stated = sizes
        with tf.device("CPU:0"):
            self.boxes, self.labels = tf.constant(boxes), tf.constant(labels)
            self.starts, self.counts = tf.constant(starts), tf.constant(counts)
            self.sizes = tf.constant(sizes)

    def of_crop(self, record: Any, shape: tf.Tensor, drawn: DrawnCrop) -> tuple[tf.Tensor, ...]:
        """Return the boxes of an index, clipped to the image and to its crop, and their labels."""
        size = self.sizes[record]
        is_stated = tf.reduce_all((size == shape[:2]) | (size == 0))
        start, count = self.starts[record], self.counts[record]
        with tf.control_dependencies([check(is_stated, "boxes of an image of another size")]):
            boxes = tf.identity(self.boxes[start : start + count])
        labels = self.labels[start : start + count]
        height, width = tf.unstack(tf.cast(shape[:2], tf.float32))
        boxes = tf.clip_by_value(boxes, 0.0, tf.stack([width, height, width, height]))
        padding = self.slots - count
        return crop_boxes(
            drawn,
            tf.ensure_shape(tf.pad(boxes, [[0, padding], [0, 0]]), (self.slots, 4)),
            tf.ensure_shape(tf.pad(labels, [[0, padding]], constant_values=NO_BOX), (self.slots,)),
        )

    def join(self, images: tf.Tensor, *columns: tf.Tensor) -> Any:
        """Return images, their boxes (batch, slots, 4) and the labels of these (batch, slots)."""
        boxes, labels = columns
        return images, {"boxes": boxes, "labels": labels}

    def why_broken(self, index: int, shape: tuple[int, int]) -> str | None:
        """Return that the boxes are of an image of another size, None if they are not."""
        stated = tuple(int(side) for side in self.stated[index])
        if all(side in (0, real) for side, real in zip(stated, shape, strict=True)):
            return None
        return (
            f"its boxes are of an image of {stated[0]}×{stated[1]} pixels (height × width), it has "
            f"{shape[0]}×{shape[1]}"
        )
