"""Callback that records the loss of every step in a file, which a resumed run continues."""

import math
import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_simmim.backend import processes


class StepLosses(keras.callbacks.Callback):
    """Record the training loss of every single step as CSV rows (step, loss).

    Keras logs the mean since the epoch began; this takes the mean apart again, for batches of
    equal size. A step that was skipped because it was not finite has the loss NaN. Each row is
    written with its step. A run that resumes with the same file keeps the rows before its first
    step and drops those that came after its checkpoint.

    Args:
        path: the CSV file.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    losses = ks.training.callbacks.StepLosses("runs/first/losses.csv")
    model.fit(images, batch_size=4, verbose=0, callbacks=[losses])
    len(losses.losses)   # 2
    ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        self.losses: list[float] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Read what earlier runs recorded, and drop the steps that are to be repeated."""
        if self.model.steps_per_execution != 1:
            raise ValueError(
                "StepLosses needs compile(steps_per_execution=1): Keras gives no losses of single "
                f"steps with steps_per_execution={self.model.steps_per_execution}."
            )
        steps = _number(self.model.step)
        self._skipped = _number(self.model.skipped_steps)
        self.losses = _recorded(self.path)[:steps]
        self.losses += [math.nan] * (steps - len(self.losses))
        if processes.index():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(f".{self.path.name}.part")
        rows = (f"{step},{loss!r}\n" for step, loss in enumerate(self.losses))
        aside.write_text("step,loss\n" + "".join(rows))
        os.replace(aside, self.path)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start a new mean, or take up that of an interrupted epoch."""
        done = self.params.get("first_batch", 0)
        self._counted = sum(map(math.isfinite, self.losses[len(self.losses) - done :]))
        self._running_sum = 0.0
        if self._counted:
            mean = float(keras.ops.convert_to_numpy(self.model.trackers[0].result()))
            self._running_sum = mean * self._counted

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take this step's loss out of the mean so far, and append it to the file."""
        logs = logs or {}
        skipped, loss = round(float(logs["skipped_steps"])), math.nan
        if skipped == self._skipped:
            self._counted += 1
            total = float(logs["loss"]) * self._counted
            loss, self._running_sum = total - self._running_sum, total
        self._skipped = skipped
        # Opened for each row: what is written stays, whenever the run is killed.
        if processes.index() == 0:
            with self.path.open("a") as file:
                file.write(f"{len(self.losses)},{loss!r}\n")
        self.losses.append(loss)

    def first_and_last(self) -> tuple[float, float]:
        """Return the mean loss of the first and of the last tenth of all steps but skipped ones."""
        losses = [loss for loss in self.losses if math.isfinite(loss)]
        tenth = max(1, len(losses) // 10)
        return float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:]))


def _recorded(path: Path) -> list[float]:
    """Read the losses of a file, up to a row that was cut short."""
    losses: list[float] = []
    if path.exists():
        for line in path.read_text().splitlines(keepends=True)[1:]:
            row = re.fullmatch(r"(\d+),(\S+)\n", line)
            if row is None or int(row[1]) != len(losses):
                break
            losses.append(float(row[2]))
    return losses


def _number(variable: Any) -> int:
    return int(keras.ops.convert_to_numpy(variable))
