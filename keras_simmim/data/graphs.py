"""What keeps the graph of one image short: it runs for every image of every epoch."""

from collections.abc import Callable

import tensorflow as tf


def apart(branch: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor]:
    """Keeps a seldom branch of `tf.cond` in one operation.

    Inlined, each of its operations would cost time for every image that does not take it: a rare
    branch of 300 of them takes 0.3 ms.
    """
    if tf.executing_eagerly():
        return branch
    return tf.function(branch, autograph=False, experimental_attributes={"_noinline": True})
