"""What the pipeline asks of a source."""

from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.reading.readable_image import ReadableImage
from keras_simmim.data.targets.targets import Targets

# From a record and its place, int64 (2,), to an image and its targets, if there are any.
Load: TypeAlias = Callable[[Any, tf.Tensor], tuple[tf.Tensor, ...]]


class Source:
    """Give the records of an epoch, each of one image, and what belongs to a record.

    A record is what is cheap to put in order: an index, or an encoded image.

    Args:
        count: images in an epoch, None if that is not known.
        targets: what belongs to each image: a label, a mask, boxes, or nothing.
        class_names: names of the labels, or None.
        is_exact: False if fewer than `count` may come.
    """

    def __init__(
        self,
        count: int | None,
        targets: Targets,
        *,
        class_names: list[str] | None = None,
        is_exact: bool = True,
    ) -> None:
        self.count = count
        self.targets = targets
        self.class_names = class_names
        self.is_exact = is_exact

    def records(self, epochs: Epochs, epoch_seed: tf.Tensor, part: EpochPart) -> tf.data.Dataset:
        """Return the records of a part of one epoch, in its order.

        Args:
            epochs: the numbering of the iterations.
            epoch_seed: int64 scalar that determines the order.
            part: which records.
        """
        raise NotImplementedError

    def open_image(self, record: Any) -> ReadableImage:
        """Return the image of a record."""
        raise NotImplementedError

    def load_all(
        self, records: tf.data.Dataset, load: Load, epochs: Epochs, part: EpochPart
    ) -> tf.data.Dataset:
        """Load the records of a part of an epoch, in order.

        Args:
            records: data set of `(record, place)`; a place is the seed of the epoch and the
                record's number in the part.
            load: how to load one.
            epochs: the numbering of the iterations.
            part: which records they are.

        Returns:
            A data set of what `load` returns; where others have parts too, zeros in the place of
            what is missing, so that all parts have as many batches.
        """
        return records.map(load, tf.data.AUTOTUNE)
