"""The loss of every step, in a file that a resumed run continues."""

import csv
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np


class StepLosses(keras.callbacks.Callback):
    """Records the training loss of every single step as CSV rows (step, loss).

    Keras logs the mean since the epoch began; this takes the mean apart again, for batches of
    equal size. Rows are written after each epoch. A run that resumes with the same file keeps
    the rows before its first step and drops those that the interrupted epoch left.

    Args:
        path: the CSV file.

    Example:
    ```python
    losses = StepLosses("runs/first/losses.csv")
    model.fit(dataset, callbacks=[losses])
    losses.losses   # one number a step
    ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        self.losses: list[float] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Read what earlier runs recorded."""
        steps = int(keras.ops.convert_to_numpy(self.model.step))
        self.losses = []
        if self.path.exists():
            with self.path.open(newline="") as file:
                self.losses = [float(row["loss"]) for row in csv.DictReader(file)][:steps]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start a new mean."""
        self._running_sum = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take this step's loss out of the mean so far."""
        total = float((logs or {})["loss"]) * (batch + 1)
        self.losses.append(total - self._running_sum)
        self._running_sum = total

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the file anew, beside its place, and rename it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(f".{self.path.name}.part")
        with aside.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "loss"])
            writer.writerows(enumerate(self.losses))
        os.replace(aside, self.path)

    def first_and_last(self) -> tuple[float, float]:
        """Mean loss of the first and of the last tenth of all steps."""
        tenth = max(1, len(self.losses) // 10)
        return float(np.mean(self.losses[:tenth])), float(np.mean(self.losses[-tenth:]))
