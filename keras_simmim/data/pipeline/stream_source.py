"""Sources whose images come one after another."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.source import Source
from keras_simmim.data.reading.readable_image import ReadableImage
from keras_simmim.data.targets.targets import Targets


class StreamSource(Source):
    """Give images in the order in which they come, shuffled in training as far as a buffer reaches.

    `Source` describes the other arguments.

    Args:
        stored: data set of records.
        open_image: from a record to its image.
        buffer: records among which the next one of a training epoch is drawn.
    """

    def __init__(
        self,
        stored: tf.data.Dataset,
        open_image: Callable[[Any], ReadableImage],
        count: int | None,
        targets: Targets,
        *,
        buffer: int,
        class_names: list[str] | None = None,
        is_exact: bool = True,
    ) -> None:
        super().__init__(count, targets, class_names=class_names, is_exact=is_exact)
        self.stored = stored
        self.open_record = open_image
        self.buffer = buffer

    def records(self, epochs: Epochs, epoch_seed: tf.Tensor, part: EpochPart) -> tf.data.Dataset:
        """Return the records of a part of one epoch."""
        return part.of_stream(self.in_order(self.stored, epochs, epoch_seed))

    def in_order(
        self, records: tf.data.Dataset, epochs: Epochs, epoch_seed: tf.Tensor
    ) -> tf.data.Dataset:
        """Return records, or their numbers, in the order of an epoch."""
        if not epochs.training:
            return records
        # The graph's own seed, copied from `tf.random.set_seed`, would take part in the order.
        tf.compat.v1.set_random_seed(1)
        return records.shuffle(self.buffer, seed=epoch_seed, reshuffle_each_iteration=False)

    def open_image(self, record: Any) -> ReadableImage:
        """Return the image of a record, of which the header is read."""
        return self.open_record(record)
