"""Saves that wait until all other callbacks are done."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.training.stopping import Stopped


class SaveLast(keras.callbacks.Callback):
    """Perform what `Checkpoint` asked for, behind all callbacks of the user.

    What those have written is then there when a checkpoint counts it. `fit` has one of its own,
    which also ends it after a signal that `ks.training.stop_gently` kept.

    Args:
        callbacks: those of the user. A checkpoint has weights and averages in their own places,
            also where a `keras.callbacks.SwapEMAWeights` has exchanged them.
    """

    def __init__(self, callbacks: Sequence[Any] = ()) -> None:
        super().__init__()
        swapping = keras.callbacks.SwapEMAWeights
        self.swaps: list[Any] = [each for each in callbacks if isinstance(each, swapping)]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if it was asked for in this step, and end if this is to be the last one."""
        self._save()
        self._stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if it was asked for at the end of this epoch, and end if it is the last one."""
        self._save()
        self._stop()

    def _stop(self) -> None:
        if self.model.stopped_by is not None:
            raise Stopped(self.model.stopped_by)

    def _save(self) -> None:
        saves = self.model.saves
        swapped = [each for each in self.swaps if saves and each._ema_weights_in_model]
        for each in swapped:
            each._swap_variables()
        while saves:
            saves.pop(0)()
        for each in swapped:
            each._swap_variables()
