"""Which epoch an iteration is, and what that decides."""

import tensorflow as tf

from keras_simmim.data import arguments

PEEK = 2


class Epochs:
    """Numbers the iterations over a data set and derives the random seeds of each.

    Order, crops and flips are a function of the seed, the epoch and the position in it alone. The
    number of the epoch lives in one variable inside the data set: an iteration reads it when it
    starts and adds one when it hands out its third batch (or its last, where an epoch has fewer
    than three). A look at the first two batches therefore does not use an epoch up: `fit` takes
    such a look on JAX and torch whenever something in the model is still to be built.

    Args:
        training: False for the same order and seeds at every iteration.
        seed: an integer of at most 64 bits.
        epoch: number of the first iteration, 0 or more.
    """

    def __init__(self, training: bool, seed: int, epoch: int) -> None:
        self.training = training
        self.seed = arguments.as_seed(seed)
        epoch = arguments.as_integer("epoch", epoch, minimum=0)
        with tf.init_scope(), tf.device("CPU:0"):
            self._next = tf.Variable(epoch, trainable=False, dtype=tf.int64, name="epoch")

    def start(self) -> tf.data.Dataset:
        """Returns a data set of one int64 scalar, the seed of the epoch that starts."""

        @tf.autograph.experimental.do_not_convert
        def epoch_seed(seed: tf.Tensor) -> tf.Tensor:
            epoch = self._next.read_value() if self.training else tf.zeros((), tf.int64)
            return _full_range((), tf.stack([seed, epoch]))

        return tf.data.Dataset.from_tensors(tf.constant(self.seed, tf.int64)).map(epoch_seed)

    def order(self, count: int, epoch_seed: tf.Tensor) -> tf.Tensor:
        """Returns the int64 indices (count,) in the order of the epoch."""
        if not self.training:
            return tf.range(count, dtype=tf.int64)
        # Positions, the other second halves of a seed, are never negative.
        keys = _full_range((count,), tf.stack([epoch_seed, tf.constant(-1, tf.int64)]))
        return tf.cast(tf.argsort(keys, stable=True), tf.int64)

    def count(self, batches: tf.data.Dataset, batch_count: int | None) -> tf.data.Dataset:
        """Returns `batches` unchanged, but for counting their iterations as epochs."""
        if not self.training:
            return batches
        counted_at = 0 if batch_count is None else min(PEEK, batch_count - 1)

        @tf.autograph.experimental.do_not_convert
        def note(number: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
            self._next.assign_add(tf.cast(number == counted_at, tf.int64))
            return batch

        # A prefetch that TensorFlow adds by itself would hand out, and count, one batch too early.
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return batches.enumerate().map(note).with_options(options)


def _full_range(shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.int64, alg="philox"
    )
