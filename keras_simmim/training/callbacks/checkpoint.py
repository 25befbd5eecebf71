"""Callback that saves a run so that it can be resumed."""

import functools
import os
from pathlib import Path
from typing import Any

import keras
from keras import ops

from keras_simmim.backend import processes
from keras_simmim.training import checkpoint_files
from keras_simmim.training.written_once import written_once


class Checkpoint(keras.callbacks.Callback):
    """Save the run after every epoch and every so many steps, for `ks.training.resume`.

    A checkpoint is a folder `step-…` with the model as Keras saves it, `model.keras`, and what
    that lacks: the place in the data, the epoch's metrics, the state of dropout, and checksums.
    It is written beside its place, waited for until the disk has it, and then renamed, so that a
    run that is killed at any moment leaves the last good one. `fit` of `SimMIM` and
    `ImageClassifier` runs it behind all other callbacks.

    Args:
        directory: of the run's checkpoints.
        every: training steps between two checkpoints within an epoch, at least 1; None saves at
            the end of the epochs alone.
        keep: how many of the newest are kept, at least 1. Two or more, so that a damaged one can
            be done without.

    Raises:
        ValueError: for `every` or `keep` below 1; as training begins, for a directory with
            checkpoints of later steps, which are another run's, or for `every` where `fit` has
            `steps_per_epoch`; as it saves, for checkpoints that another run has written.
        OSError: as training begins, for a directory that cannot be written to.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    checkpoint = ks.training.callbacks.Checkpoint("runs/first/checkpoints", every=1000)
    model.fit(images, epochs=2, verbose=0, callbacks=[checkpoint])
    ks.training.resume("runs/first/checkpoints").epoch   # 2
    ```
    """

    def __init__(
        self, directory: str | os.PathLike[str], every: int | None = None, keep: int = 3
    ) -> None:
        super().__init__()
        for name, value in (("every", every), ("keep", keep)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}.")
        self.directory = Path(directory)
        self.every = every
        self.keep = keep

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check that the directory is this run's, and remove what a kill left there."""
        if self.every is not None and not self.params.get("own_epochs", True):
            raise ValueError(
                f"every={self.every} saves within epochs, where a run with steps_per_epoch cannot "
                "go on: its epochs begin and end anywhere in the data. Leave out steps_per_epoch, "
                "or save at the ends of epochs (every=None), which can be as short as you like."
            )
        self._step = int(ops.convert_to_numpy(self.model.step))
        last = max(checkpoint_files.checkpoints(self.directory), default=0)
        if last > self._step:
            raise ValueError(
                f"directory {str(self.directory)!r} holds a checkpoint of step {last}, but the "
                f"model has {self._step} steps behind it: go on with ks.training.resume, or "
                "choose another directory."
            )
        self._known: set[int] = set()
        if processes.index():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        if not os.access(self.directory, os.W_OK):
            raise PermissionError(f"directory {str(self.directory)!r} cannot be written to.")
        checkpoint_files.remove_unfinished(self.directory)
        self._known = set(checkpoint_files.checkpoints(self.directory))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start to count the epoch's batches, where an interrupted epoch stopped."""
        self._epoch = epoch
        self._batch = self.params.get("first_batch", 0)
        self._before = self._step - self._batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save at every so many steps, and behind one that is to be the last.

        The epoch's last step is saved with the epoch.
        """
        self._batch = self.params.get("first_batch", 0) + batch + 1
        last, self._step = self._step, self._before + self._batch
        is_turn = self.every is not None and self._step // self.every > last // self.every
        if self.model.stopped_by is not None or (is_turn and self._batch != self.params["steps"]):
            self._save_last(self._epoch, self._batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the beginning of the next epoch, or where this one was stopped early."""
        steps = self.params["steps"]
        if steps is not None and self._batch < steps:
            self._save_last(epoch, self._batch)
        else:
            self._save_last(epoch + 1, 0)

    def _save_last(self, epoch: int, batch: int) -> None:
        """Save behind the other callbacks, where `fit` has been given them as a list."""
        save = functools.partial(self._save, epoch, batch)
        if self.model.saves is None:
            save()
        else:
            self.model.saves.append(save)

    def _save(self, epoch: int, batch: int) -> None:
        """Save, if this is the first of several processes, whose weights are those of all."""
        with written_once(self.directory) as directory:
            if directory is not None:
                self._save_to(directory, epoch, batch)

    def _save_to(self, directory: Path, epoch: int, batch: int) -> None:
        others = set(checkpoint_files.checkpoints(directory)) - self._known
        if others:
            raise ValueError(
                f"directory {str(directory)!r} has checkpoints of steps {sorted(others)} that "
                "another run has written since this one began: choose another directory for one "
                "of them."
            )
        checkpoint_files.write(self.model, directory, epoch, batch)
        self._known.add(int(ops.convert_to_numpy(self.model.step)))
        checkpoint_files.remove_all_but(directory, self.keep)
