"""Callback that lets an epoch begin in its middle, where an interrupted run stopped."""

import logging
from typing import Any

import keras

from keras_simmim.training.run_state import RunState

LOGGER = logging.getLogger("keras_simmim")


class UnfinishedEpoch(keras.callbacks.Callback):
    """Continue the first epoch of `fit` from where it was interrupted, up to its own last batch.

    `fit` of `SimMIM` and `ImageClassifier` has one of its own. It stands before all others, which
    find the number of the first batch in `params["first_batch"]`, and in `params["own_epochs"]`
    whether epochs are those of the data.

    Args:
        state: of the resumed run, whose logged means go on; None lets them begin anew.
        first_batch: with which batch the first epoch begins.
        epochs: of the data of `ks.data`, None for others. A resumed run rewinds them: Keras has
            looked at a batch, which is a whole epoch where only one is left.
        steps_per_epoch: what `fit` was given, which cuts data into epochs that are not their own.
    """

    def __init__(
        self,
        state: RunState | None,
        first_batch: int,
        epochs: Any,
        steps_per_epoch: int | None = None,
    ) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self.state = state
        self.first_batch = first_batch
        self.epochs = epochs
        self._ends_early = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Say whether a run can go on in the middle of an epoch."""
        self.params["own_epochs"] = self.steps_per_epoch is None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Restore the epoch's metrics, which Keras has just reset."""
        self.params["first_batch"] = self.first_batch
        if self.state is not None and self.epochs is not None:
            self.epochs.rewind()
        if self.state is not None and self.first_batch:
            try:
                self.state.restore_metrics(self.model)
            except ValueError as error:
                LOGGER.warning("The means of this epoch begin anew: %s", error)
        self.state = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """End the epoch after its last batch: Keras expects as many as a whole one has."""
        if self.first_batch and self.first_batch + batch + 1 >= self.params["steps"]:
            self._ends_early = True
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Let the next epoch be a whole one."""
        self.first_batch = 0
        if self._ends_early:
            self._ends_early = False
            self.model.stop_training = False
