"""Callback that lets a step be the last one after Ctrl-C or SIGTERM."""

from typing import Any

import keras

from keras_simmim.training import stopping


class StopWhenAsked(keras.callbacks.Callback):
    """Look after each step whether a signal came that `ks.training.stop_gently` keeps.

    `fit` has one of its own, before all other callbacks. It looks once a step, so that
    `Checkpoint`, which saves, and `SaveLast`, which then raises, see the same.
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Let signals wait from here on."""
        stopping.await_signals()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note where the epoch begins, if not with its first batch."""
        self._first_batch = self.params.get("first_batch", 0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look whether one came; behind the last batch of an epoch, its end is waited for."""
        is_last = self._first_batch + batch + 1 == self.params["steps"]
        self.model.stopped_by = None if is_last else stopping.asked()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look whether one came; behind the last epoch, there is nothing left to stop."""
        is_last = epoch + 1 == self.params["epochs"]
        self.model.stopped_by = None if is_last else stopping.asked()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Let signals not wait any more."""
        stopping.forget()
