"""The part of an epoch that one of several processes reads: a slice of each of its batches."""

from dataclasses import dataclass

import tensorflow as tf

from keras_simmim.data.pipeline.shard import Shard


@dataclass(frozen=True, kw_only=True)
class EpochPart:
    """Find the examples of a shard in an epoch before anything is read, and batch them.

    The examples of a part have numbers, 0, 1, …; their positions are those in the whole epoch,
    which decide on crops and flips.

    Args:
        shard: which slice of each batch.
        batch_size: examples in a whole batch, a multiple of the number of shards.
        count: examples in the whole epoch; None where it is not known.
        drops_remainder: whether an incomplete last batch is left out.
    """

    shard: Shard
    batch_size: int
    count: int | None
    drops_remainder: bool

    @property
    def is_cut(self) -> bool:
        """Return whether others have parts, too."""
        return self.shard.count > 1

    @property
    def size(self) -> int:
        """Return how many examples of a whole batch there are in the part."""
        return self.batch_size // self.shard.count

    @property
    def length(self) -> int | None:
        """Return the number of examples in the part, None where it is not known."""
        if self.count is None:
            return None
        return self.count // self.batch_size * self.size + self._rest

    @property
    def _rest(self) -> int:
        """Return how many examples of an incomplete last batch there are in the part."""
        if self.count is None or self.drops_remainder:
            return 0
        start, stop = self.shard.bounds(self.count % self.batch_size)
        return stop - start

    def position(self, number: tf.Tensor) -> tf.Tensor:
        """Return the positions in the epoch of examples of the part, int64 like their numbers."""
        if not self.is_cut:
            return number
        before = number // self.size * self.batch_size
        size = tf.constant(self.batch_size, tf.int64)
        if self.count is not None:
            size = tf.minimum(self.count - before, size)
        return before + self.shard.bounds(size)[0] + number % self.size

    def of_order(self, order: tf.Tensor) -> tf.Tensor:
        """Return the entries of the part among those of an epoch, whose number is known."""
        if not self.is_cut:
            return order[: self.length]
        return tf.gather(order, self.position(tf.range(self.length, dtype=tf.int64)))

    def of_stream(self, records: tf.data.Dataset) -> tf.data.Dataset:
        """Return the records of the part among those of an epoch, which come one after another."""
        if not self.is_cut:
            return records

        @tf.autograph.experimental.do_not_convert
        def slice_of(window: tf.data.Dataset | dict[str, tf.data.Dataset]) -> tf.data.Dataset:
            examples = tf.data.Dataset.zip(window)
            start, stop = self.shard.bounds(examples.cardinality())
            return examples.skip(start).take(stop - start)

        windows = records.window(self.batch_size, drop_remainder=self.drops_remainder)
        return windows.flat_map(slice_of)

    def batched(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """Batch the examples of the part; every part of an epoch has as many batches."""
        batches = examples.batch(self.size, drop_remainder=self.drops_remainder)
        if self.count is None or self.drops_remainder:
            return batches
        if self.count % self.batch_size and not self._rest:
            empty = tf.nest.map_structure(
                lambda spec: tf.zeros((0, *spec.shape), spec.dtype), examples.element_spec
            )
            batches = batches.concatenate(tf.data.Dataset.from_tensors(empty))
        return batches
