"""Encoded images as the pipeline reads them, of which some are broken."""

import numpy as np
import tensorflow as tf

from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.indexed_source import IndexedSource
from keras_simmim.data.pipeline.source import Load
from keras_simmim.data.reading.broken_files import BrokenFiles
from keras_simmim.data.reading.pixel_cache import PixelCache
from keras_simmim.data.reading.readable_image import ReadableImage
from keras_simmim.data.sources.substitution import with_substitutes


class TableSource(IndexedSource):
    """Give the images of a table, and others for those that cannot be read.

    Args:
        broken: the images, how to decode them, what belongs to them, and which of them are broken,
            as far as it is known.
        class_names: names of the labels, or None.
        training: whether another image takes the place of a broken one.
        cache: keeps the pixels of the images; None to decode them in every epoch.
    """

    def __init__(
        self,
        broken: BrokenFiles,
        *,
        class_names: list[str] | None,
        training: bool,
        cache: PixelCache | None = None,
    ) -> None:
        super().__init__(
            len(broken.table),
            broken.targets,
            class_names=class_names,
            is_exact=training or broken.on_error == "raise",
        )
        self.broken = broken
        self.cache = cache

    def open_image(self, record: tf.Tensor) -> ReadableImage:
        """Return the image of an index, of which the header is read, or the pixels are kept."""
        if self.cache is None:
            return self._opened(record)
        return self.cache.image(record, lambda: self._opened(record))

    def _opened(self, record: tf.Tensor) -> ReadableImage:
        return self.broken.open_image(self.broken.table.contents(record))

    def load_all(
        self, records: tf.data.Dataset, load: Load, epochs: Epochs, part: EpochPart
    ) -> tf.data.Dataset:
        """Load the records of a part, and something else or nothing for the broken ones."""

        def order(epoch_seed: int) -> np.ndarray:
            order = epochs.order(self.count, tf.constant(epoch_seed, tf.int64))
            return part.of_order(order).numpy()

        return with_substitutes(
            records,
            load,
            part,
            self.broken,
            order=order,
            record_of=tf.constant,
            training=epochs.training,
        )
