"""Compute with a backend's own API where `keras.ops` does not reach or is slow.

The folders `tensorflow`, `jax` and `torch` hold the same modules, and here one of them is chosen:

    step          `TrainStep`, the `train_step` and `test_step` that Keras' trainer calls
    optimizer     `AdamW`, which `SelectiveAdamW` is made of
    kernels       what the backend computes in one piece
    memory        what becomes of the memory that a step frees
    devices       what is computed on, and which part of a batch is this replica's
    processes     which of several processes this is
    distribution  how several devices and processes begin
    random_state  the generator that the backend keeps for itself
"""

import keras

match keras.backend.backend():
    case "tensorflow":
        from keras_simmim.backend.tensorflow import (
            devices,
            distribution,
            kernels,
            memory,
            optimizer,
            processes,
            random_state,
            step,
        )
    case "jax":
        from keras_simmim.backend.jax import (  # type: ignore[no-redef]
            devices,
            distribution,
            kernels,
            memory,
            optimizer,
            processes,
            random_state,
            step,
        )
    case "torch":
        from keras_simmim.backend.torch import (  # type: ignore[no-redef]
            devices,
            distribution,
            kernels,
            memory,
            optimizer,
            processes,
            random_state,
            step,
        )
    case other:
        raise ImportError(
            f"keras_simmim trains on the tensorflow, jax and torch backends, got {other!r}; "
            "set KERAS_BACKEND."
        )

memory.keep_freed_memory()

__all__ = [
    "devices",
    "distribution",
    "kernels",
    "memory",
    "optimizer",
    "processes",
    "random_state",
    "step",
]
