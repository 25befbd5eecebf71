"""The number of the epoch that an iteration is, and what it decides."""

import tensorflow as tf

from keras_simmim.data import arguments

PEEK = 2


class Epochs:
    """Number the iterations over a data set and derive the random seeds of each.

    Order, crops and flips are a function of the seed, the epoch and the position in it alone. The
    number of the epoch lives in one variable inside the data set: an iteration reads it when it
    starts and adds one when it hands out its third batch (or its last, where an epoch has fewer
    than three). A look at the first two batches therefore does not use an epoch up: `fit` takes
    such a look on JAX and torch whenever something in the model is still to be built.

    The first iteration can begin in the middle of its epoch, as the resumption of an interrupted
    one; how many batches it leaves out lives in a second variable, until it counts as an epoch.

    Args:
        training: False for the same order and seeds at every iteration.
        seed: an integer of at most 64 bits.
        epoch: number of the first iteration, 0 or more.
        first_batch: with which batch the first iteration begins, 0 or more.

    Raises:
        ValueError: if a number is out of bounds, or `first_batch` is given without training.
        TypeError: if a number is no integer.
    """

    def __init__(self, *, training: bool, seed: int, epoch: int = 0, first_batch: int = 0) -> None:
        self.training = training
        self.seed = arguments.as_seed(seed)
        self.epoch = arguments.as_integer("epoch", epoch, minimum=0)
        self.first_batch = arguments.as_integer("first_batch", first_batch, minimum=0)
        # Of a whole epoch, None where it is not known; `count` learns it.
        self.batch_count: int | None = None
        if first_batch and not training:
            raise ValueError(f"first_batch must be 0 if training=False, got {first_batch}.")
        with tf.init_scope(), tf.device("CPU:0"):
            self._next, self._left_out = (
                tf.Variable(value, trainable=False, dtype=tf.int64, name=name)
                for value, name in ((epoch, "epoch"), (first_batch, "first_batch"))
            )

    def rewind(self) -> None:
        """Go back to where the first iteration began."""
        self._next.assign(self.epoch)
        self._left_out.assign(self.first_batch)

    def start(self) -> tf.data.Dataset:
        """Return a data set of the seed of the epoch that starts, and the batches to leave out.

        Both are int64 scalars.
        """

        @tf.autograph.experimental.do_not_convert
        def beginning(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            epoch = self._next.read_value() if self.training else tf.zeros((), tf.int64)
            return _full_range((), tf.stack([seed, epoch])), self._left_out.read_value()

        return tf.data.Dataset.from_tensors(tf.constant(self.seed, tf.int64)).map(beginning)

    def order(self, count: int, epoch_seed: tf.Tensor) -> tf.Tensor:
        """Return the int64 indices (count,) in the order of the epoch."""
        if not self.training:
            return tf.range(count, dtype=tf.int64)
        # Positions, the other second halves of a seed, are never negative.
        keys = _full_range((count,), tf.stack([epoch_seed, tf.constant(-1, tf.int64)]))
        return tf.cast(tf.argsort(keys, stable=True), tf.int64)

    def count(self, batches: tf.data.Dataset, batch_count: int | None) -> tf.data.Dataset:
        """Return `batches` unchanged, but for counting their iterations as epochs."""
        self.batch_count = batch_count
        if not self.training:
            return batches

        @tf.autograph.experimental.do_not_convert
        def note(number: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
            counted_at = tf.zeros((), tf.int64)
            if batch_count is not None:
                counted_at = tf.minimum(batch_count - 1 - self._left_out, PEEK)
            counts = tf.cast(number == counted_at, tf.int64)
            with tf.control_dependencies([counts]):
                self._next.assign_add(counts)
                self._left_out.assign(self._left_out * (1 - counts))
            return batch

        # A prefetch that TensorFlow adds by itself would hand out, and count, one batch too early.
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return batches.enumerate().map(note).with_options(options)


def _full_range(shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
    """Return random int64 numbers of all 64 bits."""
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.int64, alg="philox"
    )
