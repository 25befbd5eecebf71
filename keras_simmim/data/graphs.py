"""Functions that keep the graph of one image short: it runs for every image of every epoch."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def apart(*signature: tf.TensorSpec) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function of tensors one operation in the graphs that call it.

    For the seldom branches of `tf.cond`: inlined, each of their operations would cost time for
    every image that does not take them, 0.3 ms for 300. The function is traced once, not anew for
    every data set. Eagerly it is what it was, and its errors are short.

    Args:
        signature: one `tf.TensorSpec` an argument.

    Returns:
        A decorator.
    """

    def decorate(branch: Callable[..., Any]) -> Callable[..., Any]:
        compiled = tf.function(
            branch,
            input_signature=signature,
            autograph=False,
            experimental_attributes={"_noinline": True},
        )

        @functools.wraps(branch)
        def call(*arguments: tf.Tensor) -> Any:
            return (branch if tf.executing_eagerly() else compiled)(*arguments)

        return call

    return decorate
