"""Rows of integers that are in memory, batched whole."""

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.batch_plan import BatchPlan
from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.host import leave_gpu_to_backend
from keras_simmim.data.pipeline.numbered import numbered
from keras_simmim.data.pipeline.shard import Shard


def batched_rows(
    rows: np.ndarray,
    labels: np.ndarray | None,
    batch_size: int,
    *,
    training: bool,
    seed: int,
    epoch: int,
    first_batch: int,
    drop_remainder: bool | None,
    shard: int | None,
    shards: int | None,
    examples: str,
) -> tf.data.Dataset:
    """Batch rows, in an order of its own in every epoch of training.

    Args:
        rows: integers (N, …).
        labels: integers (N,), or None.
        batch_size: rows in a batch, over all shards.
        training: False for the given order.
        seed: of the order.
        epoch: number of the first iteration.
        first_batch: with which batch of its epoch the first iteration begins.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only one.
        shard: which slice of each batch is given, as in `ks.data.SourceArguments`.
        shards: how many slices there are.
        examples: what errors call the rows.

    Returns:
        A data set of batches (batch, …), or of pairs of these and labels (batch,), with `epochs`,
        `example_count`, N, `shard_index` and `shards`.

    Raises:
        ValueError: if a number is out of bounds, or arguments contradict each other.
        TypeError: if an argument has another type.
    """
    # A source's first act: TensorFlow keeps the devices that it has once used.
    leave_gpu_to_backend()
    if drop_remainder is not None:
        arguments.as_flag("drop_remainder", drop_remainder)
    epochs = Epochs(
        training=arguments.as_flag("training", training),
        seed=seed,
        epoch=epoch,
        first_batch=first_batch,
    )
    batch_size = arguments.as_integer("batch_size", batch_size, minimum=1)
    plan = BatchPlan(
        epochs=epochs,
        batch_size=batch_size,
        drop_remainder=drop_remainder,
        examples=examples,
        shard=Shard.from_arguments(shard, shards, batch_size=batch_size, training=epochs.training),
    )
    count = len(rows)
    part = plan.part(count)
    columns = (rows,) if labels is None else (rows, labels)
    with tf.device("CPU:0"):
        tensors = [tf.constant(column) for column in columns]

    @tf.autograph.experimental.do_not_convert
    def places(epoch_seed: tf.Tensor, left_out: tf.Tensor) -> tf.data.Dataset:
        order = part.of_order(epochs.order(count, epoch_seed))
        chosen = tf.data.Dataset.from_tensor_slices(order)
        return chosen.skip(left_out * part.size) if epochs.first_batch else chosen

    @tf.autograph.experimental.do_not_convert
    def gather(chosen: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, ...]:
        batch = tuple(tf.gather(tensor, chosen) for tensor in tensors)
        return batch if len(batch) > 1 else batch[0]

    batches = part.batched(epochs.start().flat_map(places))
    dataset = numbered(batches.map(gather, tf.data.AUTOTUNE), epochs, plan.batch_count(count))
    dataset.example_count = count
    dataset.shard_index, dataset.shards = plan.shard.index, plan.shard.count
    return dataset
