"""Functions as graphs, and the files of a SavedModel of them."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from keras_simmim.export.answers import Outputs


def traced(
    function: Callable[[tf.Tensor], Outputs],
    specification: tf.TensorSpec,
    jit_compile: bool = False,
) -> tf.types.experimental.ConcreteFunction:
    """Return a function of one tensor as a graph.

    Args:
        function: from the tensor to outputs by name.
        specification: of the tensor; its name is that of the signature's input.
        jit_compile: whether XLA compiles it where it runs, which not every server does.
    """
    made = tf.function(function, [specification], autograph=False, jit_compile=jit_compile)
    return made.get_concrete_function()


def save(
    path: str,
    run: tf.types.experimental.ConcreteFunction,
    signatures: Mapping[str, tf.types.experimental.ConcreteFunction],
) -> None:
    """Write a SavedModel.

    Args:
        path: of the new folder.
        run: the graph that all signatures call.
        signatures: by name.
    """
    module = tf.Module()
    # What the graph reads, and nothing else: no optimizer, no head that only trains.
    module.weights = list(run.graph.variables)
    tf.saved_model.save(module, path, signatures=dict(signatures))
