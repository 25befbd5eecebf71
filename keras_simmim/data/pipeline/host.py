"""TensorFlow as a data library on the host, which leaves the GPU to JAX or torch."""

import contextlib

import keras
import tensorflow as tf


def leave_gpu_to_backend() -> None:
    """Hide the GPUs from TensorFlow, unless it is the Keras backend."""
    if keras.backend.backend() == "tensorflow":
        return
    # A runtime that is already in use keeps the devices that it has.
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], "GPU")
