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
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0
    replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
    is_this = tf.one_hot(replica, context.num_replicas_in_sync, dtype=tf.int32)
    sizes = context.all_reduce(tf.distribute.ReduceOp.SUM, is_this * batch_size)
    return tf.cumsum(sizes, exclusive=True)[replica]


def mean_over_replicas(value: Tensor) -> Tensor:
    """Average a tensor over the replicas of `tf.distribute`."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)
