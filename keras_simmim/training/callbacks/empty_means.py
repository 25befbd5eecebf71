"""Callback that keeps means over nothing from being taken for values."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

LOGGER = logging.getLogger("keras_simmim")


class EmptyMeans(keras.callbacks.Callback):
    """Leave means over nothing out of the logs of steps, and explain them at an epoch's end.

    A loss has no mean while every step of the epoch so far was skipped, and neither has the
    accuracy of a batch without labels: such logs are NaN. `TerminateOnNaN` must not end a run for
    that, and those of Keras' callbacks that remember a best value must not remember it. `fit` of
    `SimMIM` and `ImageClassifier` has one of its own, in front of all others.

    Args:
        callbacks: those of the user.
    """

    # See `Progress`.
    async_safe = True

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        super().__init__()
        # Keras does not export the class of those that remember a best value.
        self.monitors: list[Any] = [each for each in callbacks if hasattr(each, "best")]
        self._explained: set[str] = set()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Let callbacks forget a best value that is none."""
        for monitor in self.monitors:
            if monitor.best is not None and math.isnan(monitor.best):
                monitor.best = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Leave out what is the mean of nothing."""
        for name in _empty(logs):
            del (logs or {})[name]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Say once why there are NaNs among the logs of the epoch."""
        empty = {name for name in _empty(logs) if not name.startswith("val_")} - self._explained
        if "loss" in empty:
            scaled = isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer)
            normal = " The first steps in mixed_float16 are: its loss scale is still being found."
            LOGGER.warning(
                "Epoch %d has no loss: every step was skipped, because the loss or its gradients "
                "were not finite. The model is as it was before.%s",
                epoch + 1,
                normal if scaled else "",
            )
        elif empty:
            LOGGER.warning(
                "Epoch %d has no %s: no image counted in it, such as one with a label.",
                epoch + 1,
                ", ".join(sorted(empty)),
            )
        self._explained |= empty


def _empty(logs: dict[str, Any] | None) -> list[str]:
    """List the logs that are NaN, as a whole where they are vectors."""
    return [
        name
        for name, value in (logs or {}).items()
        if isinstance(value, float | np.ndarray) and np.all(np.isnan(value))
    ]
