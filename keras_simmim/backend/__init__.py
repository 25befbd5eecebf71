"""The one room that computes with a backend's own API: a training step for each of the three.

Each module holds one class `TrainStep` with `train_step` and `test_step` in the form that
Keras' trainer of that backend calls. They differ in how gradients are taken, and in nothing else
but `in_one_piece`, which compiles what JAX would run operation by operation.
`AdamW` is what `SelectiveAdamW` is made of, in the form that is fast on the backend.
"""

import keras

match keras.backend.backend():
    case "tensorflow":
        from keras_simmim.backend.tensorflow_memory import keep_freed_memory

        keep_freed_memory()
        from keras_simmim.backend.tensorflow_adamw import AdamW
        from keras_simmim.backend.tensorflow_step import TrainStep
    case "jax":
        from keras_simmim.backend.adamw import AdamW
        from keras_simmim.backend.jax_step import TrainStep  # type: ignore[assignment]
    case "torch":
        from keras_simmim.backend.torch_adamw import AdamW
        from keras_simmim.backend.torch_step import TrainStep  # type: ignore[assignment]
    case other:
        raise ImportError(
            f"keras_simmim trains on the tensorflow, jax and torch backends, got {other!r}; "
            "set KERAS_BACKEND."
        )

__all__ = ["AdamW", "TrainStep"]
