"""Callback that stops a run whose steps are all skipped."""

from typing import Any

import keras


class StopWhenSkipping(keras.callbacks.Callback):
    """Stop `fit` after too many skipped steps, whose loss or gradients are not finite.

    `fit` of `SimMIM` and `ImageClassifier` has one of its own, as `compile` says. The count is read
    only once in so many steps, because reading waits for the device.

    Args:
        steps: how many in a row, at least 1; None never stops.

    Example:
    ```python
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw", stop_after_skipped=10)
    ```
    """

    def __init__(self, steps: int | None) -> None:
        super().__init__()
        self.steps = steps
        self.stopped = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start from the count of steps that earlier runs skipped."""
        self._since = 0
        self._skipped = float(keras.ops.convert_to_numpy(self.model.skipped_steps))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the epoch's batches from its first."""
        self._last = -1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop, if all steps since the last reading were skipped."""
        # One call may be for several steps: see `steps_per_execution`.
        self._since += batch - self._last
        self._last = batch
        if self.steps is None or self._since < self.steps:
            return
        since, self._since = self._since, 0
        skipped = float((logs or {})["skipped_steps"])
        if skipped - self._skipped >= since:
            self.stopped = True
            self.model.stop_training = True
        self._skipped = skipped

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the run stopped, whatever a callback before this one has decided since."""
        if self.stopped:
            self.model.stop_training = True

    def raise_if_stopped(self) -> None:
        """Raise FloatingPointError if it stopped the run."""
        if self.stopped:
            raise FloatingPointError(
                f"the last {self.steps} steps had a loss or gradients that are not finite and "
                "were skipped; the model is as it was before them. Look for NaN in the images and "
                "for labels that are no classes, "
                "lower the learning rate, clip gradients (global_clipnorm), or compute in "
                "bfloat16 instead of float16. compile(stop_after_skipped=None) goes on."
            )
