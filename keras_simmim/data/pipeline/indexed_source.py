"""Sources whose images have numbers."""

import tensorflow as tf

from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.source import Source


class IndexedSource(Source):
    """Give images by their indices, of which each epoch is a permutation.

    `Source` describes the arguments; `count` must be known.
    """

    count: int

    def records(self, epochs: Epochs, epoch_seed: tf.Tensor, part: EpochPart) -> tf.data.Dataset:
        """Return the int64 indices of the part's images, in the order of the epoch."""
        order = epochs.order(self.count, epoch_seed)
        return tf.data.Dataset.from_tensor_slices(part.of_order(order))
