"""Functions as the backend's compiler sees them."""

import keras


def compiled(function):
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return tf.function(function, jit_compile=True)
        case "jax":
            import jax

            return jax.jit(function)
        case "torch":
            import torch

            # The tracer without a code generator: whole graph, no Python left in it.
            return torch.compile(function, backend="eager", fullgraph=True)
