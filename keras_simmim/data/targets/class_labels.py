"""One class an image."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_simmim.data.geometry.draw_crop import DrawnCrop
from keras_simmim.data.targets.targets import Targets


class ClassLabels(Targets):
    """Give the class of each image, whatever the crop shows of it.

    Args:
        label: from a record to an int32 scalar.
    """

    def __init__(self, label: Callable[[Any], tf.Tensor]) -> None:
        self.label = label

    @classmethod
    def of(cls, classes: Sequence[int]) -> "ClassLabels":
        """Return the labels of records that are indices into `classes`."""
        with tf.device("CPU:0"):
            labels = tf.constant(classes, tf.int32)
        return cls(lambda index: labels[index])

    def of_crop(self, record: Any, shape: tf.Tensor, drawn: DrawnCrop) -> tuple[tf.Tensor, ...]:
        """Return the label of a record."""
        return (self.label(record),)
