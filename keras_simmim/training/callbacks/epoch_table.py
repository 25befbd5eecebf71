"""Callback that records all logs of every epoch in a file, which a resumed run continues."""

import csv
import os
from pathlib import Path
from typing import Any

import keras

from keras_simmim.backend import processes


class EpochTable(keras.callbacks.Callback):
    """Record the logs of every epoch as CSV rows.

    The first column, `epoch`, counts finished epochs. What callbacks before it put into the logs
    of `on_train_begin`, as `Evaluate` does, is the row of epoch 0. The file is written anew after
    each epoch and renamed into place. A run that resumes with the same file keeps the rows up to
    its first epoch; columns may come and go.

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
    table = ks.training.callbacks.EpochTable("runs/first/epochs.csv")
    model.fit(images, epochs=2, verbose=0, callbacks=[table])
    [row["epoch"] for row in table.rows]   # [1, 2]
    ```
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []
        self._before: dict[str, Any] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Keep what was measured before training."""
        self._before = dict(logs or {})

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Read what earlier runs recorded, before the first epoch of a resumed one."""
        if self._before is None:
            return
        rows = read_epochs(self.path) if epoch and self.path.exists() else []
        self.rows = [row for row in rows if row["epoch"] <= epoch]
        if self._before and not any(row["epoch"] == epoch for row in self.rows):
            self.rows.append({"epoch": epoch, **self._before})
        self._before = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the file anew beside its place, and rename it into place."""
        self.rows.append({"epoch": epoch + 1, **(logs or {})})
        if processes.index():
            return
        names = dict.fromkeys(name for row in self.rows for name in row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(f".{self.path.name}.part")
        with aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(names), restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(aside, self.path)


def read_epochs(path: Path) -> list[dict[str, Any]]:
    """Read the rows of such a file; numbers as numbers, without the cells that are empty."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {"epoch": int(row.pop("epoch"))}
            | {name: _number(text) for name, text in row.items() if text}
            for row in csv.DictReader(file)
        ]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
