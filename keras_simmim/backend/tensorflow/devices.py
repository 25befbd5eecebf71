"""What TensorFlow computes on."""

import tensorflow as tf

from keras_simmim.backend.types import Tensor


def device_names() -> list[str]:
    """List the accelerators by their makers' names, or ["CPU"]."""
    devices = tf.config.list_physical_devices("GPU")
    details = map(tf.config.experimental.get_device_details, devices)
    return [str(detail.get("device_name", "GPU")) for detail in details] or ["CPU"]


def first_example(batch_size: Tensor | int) -> Tensor | int:
    """Return the number of this replica's first example within the batch of all replicas.

    Args:
        batch_size: examples of this replica, an integer or an int32 scalar; the last batch of an
            epoch may be smaller on some replicas, or empty.
    """
    context = _replicas()
    if context is None:
        return 0
    replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
    is_this = tf.one_hot(replica, context.num_replicas_in_sync, dtype=tf.int32)
    sizes = context.all_reduce(tf.distribute.ReduceOp.SUM, is_this * batch_size)
    return tf.cumsum(sizes, exclusive=True)[replica]


def mean_over_replicas(value: Tensor) -> Tensor:
    """Average a tensor over the replicas of `tf.distribute`, without a gradient."""
    context = _replicas()
    if context is None:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.stop_gradient(value))


def sum_over_replicas(value: Tensor) -> Tensor:
    """Sum a tensor over the replicas; gradients find their way back."""
    context = _replicas()
    return value if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def all_examples(value: Tensor) -> Tensor:
    """Put the rows of all replicas behind each other; gradients find their way back."""
    context = _replicas()
    if context is None:
        return value
    gathered = context.all_gather(value, axis=0)
    # How many there are is not known before, but all else is.
    return tf.ensure_shape(gathered, (None, *value.shape[1:]))


def own_examples(values: list[Tensor], batch_size: Tensor | int) -> list[Tensor]:
    """Take this replica's rows of tensors that have those of all replicas."""
    if _replicas() is None:
        return values
    first = first_example(batch_size)
    return [value[first : first + batch_size] for value in values]


def examples_of_metrics(value: Tensor) -> Tensor:
    """Return the tensor: a metric's variables are summed over replicas where they are read."""
    return value


def _replicas() -> tf.distribute.ReplicaContext | None:
    """Return the context of one replica among several; None for one alone."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context
