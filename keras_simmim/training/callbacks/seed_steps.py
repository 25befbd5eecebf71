"""Callback that makes the backend's own draws a function of (seed, step)."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend import random_state


class SeedSteps(keras.callbacks.Callback):
    """Seed torch's own generator for every step, from its first seed and the step's number.

    Keras' dropout without a seed draws from it on torch, as does every beginning of an iteration
    over data, so that its state alone would not let a resumed run repeat the uninterrupted one.
    `fit` of `SimMIM` and `ImageClassifier` has one of its own; on TensorFlow and JAX it does
    nothing.
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look up the run's seed and step."""
        model = self.model
        self._step = int(ops.convert_to_numpy(model.step))
        if model.backend_seed is None:
            model.backend_seed = random_state.initial_seed()
        self._seed = model.backend_seed

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Seed this step."""
        random_state.seed_step(self._seed, self._step)
        self._step += 1
