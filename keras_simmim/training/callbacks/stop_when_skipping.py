"""An end, with an explanation, to a run that does not get on."""

from typing import Any

import keras


class StopWhenSkipping(keras.callbacks.Callback):
    """Stops `fit` when every step is skipped because its loss or gradients are not finite.

    `fit` of `SimMIM` and `ImageClassifier` has one of its own; see `compile`.

    The count is looked at only once in so many steps, because a look waits for the device.

    Args:
        steps: how many in a row, at least 1; None never stops.
    """

    def __init__(self, steps: int | None) -> None:
        super().__init__()
        self.steps = steps
        self.stopped = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start from what was skipped in earlier runs."""
        self._batches = 0
        self._skipped = float(keras.ops.convert_to_numpy(self.model.skipped_steps))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop, if all steps since the last look were skipped."""
        self._batches += 1
        if self.steps is None or self._batches % self.steps:
            return
        skipped = float((logs or {})["skipped_steps"])
        if skipped - self._skipped >= self.steps:
            self.stopped = True
            self.model.stop_training = True
        self._skipped = skipped

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stay stopped, whatever a callback before this one has decided since."""
        if self.stopped:
            self.model.stop_training = True

    def raise_if_stopped(self) -> None:
        """Raise FloatingPointError if it stopped the run."""
        if self.stopped:
            raise FloatingPointError(
                f"the last {self.steps} steps had a loss or gradients that are not finite and "
                "were skipped; the model is as it was before them. Look for NaN in the images, "
                "lower the learning rate, clip gradients (global_clipnorm), or compute in "
                "bfloat16 instead of float16. compile(stop_after_skipped=None) goes on."
            )
