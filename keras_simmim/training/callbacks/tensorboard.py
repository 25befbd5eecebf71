"""Callback that writes logs, weights and settings for TensorBoard."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.training.tensorboard_writer import TensorBoardWriter

GROUPS = {
    "speed": ("images_per_second", "data_wait_share", "epoch_seconds", "evaluate_seconds"),
    "optimizer": ("learning_rate", "gradient_norm", "skipped_steps"),
}


class TensorBoard(keras.callbacks.Callback):
    """Write all logs of every epoch, distributions of the weights, and the text of the settings.

    Unlike Keras' callback of this name, it needs no TensorFlow, does not make training wait for
    the losses of every step, and sorts what it shows: losses, optimizer, speed, measures. The
    epochs that are finished are its axis. It comes behind the callbacks that add to the logs:
    `Telemetry`, and `Evaluate`, whose values before training stand at epoch 0.

    Args:
        log_dir: TensorBoard's directory; files go to its `train` run, those of Keras' validation
            to `validation`.
        settings: names and values to show as a table, such as a command's options.
        histograms: epochs between two histograms of the weights, at least 1; the last epoch always
            has one. None for none.
        steps: steps between two writings of the means since the epoch began, at least 1, for
            long epochs; None for none.

    Raises:
        ValueError: for `histograms` or `steps` below 1.

    Example:
    ```python
    import os
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    board = ks.training.callbacks.TensorBoard("runs/first/logs", settings={"seed": 0})
    model.fit(images, verbose=0, callbacks=[board])
    os.listdir("runs/first/logs")   # ['train']
    ```
    """

    # See `Progress`.
    async_safe = True

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        settings: Mapping[str, Any] | None = None,
        histograms: int | None = 5,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("histograms", histograms), ("steps", steps)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, or None, got {value!r}.")
        self.log_dir = Path(log_dir)
        self.settings = dict(settings or {})
        self.histograms = histograms
        self.steps = steps
        self._writers: dict[str, TensorBoardWriter] = {}
        self._before: dict[str, Any] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Write the settings and the model's configuration."""
        self._before = dict(logs or {})
        writer = self._writer("train")
        if self.settings:
            writer.text("settings", markdown_table(self.settings), 0)
        config = json.dumps(self.model.get_config(), indent=2, default=str)
        writer.text("model", "\n".join(f"    {line}" for line in config.splitlines()), 0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write what was measured before training, and look up the step."""
        if self._before is not None:
            self._scalars(self._before, epoch)
            self._before = None
        if self.steps is not None:
            self._first_step = int(ops.convert_to_numpy(self.model.step))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the means so far, every so many steps."""
        if self.steps is not None and (batch + 1) % self.steps == 0:
            for name, value in (logs or {}).items():
                self._writer("train").scalar(f"steps/{name}", value, self._first_step + batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the logs and, every few epochs, the weights."""
        self._scalars(logs or {}, epoch + 1)
        is_last = epoch + 1 == self.params["epochs"]
        if self.histograms is not None and ((epoch + 1) % self.histograms == 0 or is_last):
            for weight in self.model.trainable_weights:
                values = np.asarray(ops.convert_to_numpy(ops.cast(weight, "float32")))
                self._writer("train").histogram(f"weights/{weight.path}", values, epoch + 1)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _scalars(self, logs: dict[str, Any], epoch: int) -> None:
        for name, value in logs.items():
            run = "validation" if name.startswith("val_") else "train"
            name = name.removeprefix("val_")
            self._writer(run).scalar(f"{group_of(name)}/{name}", value, epoch)

    def _writer(self, run: str) -> TensorBoardWriter:
        if run not in self._writers:
            self._writers[run] = TensorBoardWriter(self.log_dir / run)
        return self._writers[run]


def group_of(name: str) -> str:
    """Return the heading under which a log is shown."""
    if name == "loss" or name.endswith("_loss"):
        return "losses"
    return next((group for group, names in GROUPS.items() if name in names), "measures")


def markdown_table(values: Mapping[str, Any]) -> str:
    """Format names and values as a table; nothing in them acts as markup."""
    rows = [f"| {_literal(name)} | {_literal(value)} |" for name, value in values.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def _literal(value: Any) -> str:
    text = " ".join(str(value).split())
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-.!|~" else sign for sign in text)
