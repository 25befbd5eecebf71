"""Saves that wait until all other callbacks are done."""

from typing import Any

import keras


class SaveLast(keras.callbacks.Callback):
    """Perform what `Checkpoint` asked for, behind all callbacks of the user.

    What those have written is then there when a checkpoint counts it. `fit` has one of its own.
    """

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if it was asked for in this step."""
        self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if it was asked for at the end of this epoch."""
        self._save()

    def _save(self) -> None:
        saves = self.model.saves
        while saves:
            saves.pop(0)()
