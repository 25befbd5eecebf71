"""Callback that shows how far training is, how fast, and when it will be done."""

import shutil
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.backend import processes
from keras_simmim.training.callbacks.telemetry import meter_of

REDRAW_SECONDS = 0.1  # on a terminal
REPEAT_SECONDS = 60.0  # elsewhere: a line an epoch, and one a minute in long epochs
BAR = 20  # characters


class Progress(keras.callbacks.Callback):
    """Show steps, losses, images per second and the time left; for `fit` with `verbose=0`.

    On a terminal it is one line that is drawn anew, and stays when its epoch ends. Elsewhere, as
    in a log file, it is a plain line an epoch and, in long epochs, one a minute. The time left
    counts everything that the epochs so far took, evaluations and checkpoints too, but not the
    compilation.

    Args:
        dataset: what `fit` gets, from `ks.data.metered`.
        show: names of logs to show where there are such.

    Raises:
        ValueError: for a dataset without a meter.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    dataset = ks.data.metered(ks.data.from_arrays(images, batch_size=4))
    model.fit(dataset, verbose=0, callbacks=[ks.training.callbacks.Progress(dataset)])
    dataset.meter.images >= 8   # True
    ```
    """

    # Keras may call `on_train_batch_end` in a thread: nothing in it needs the steps in order. So
    # training does not wait for the losses of each step, unless another callback does.
    async_safe = True

    def __init__(self, dataset: Any, show: Sequence[str] = ("loss", "knn_accuracy")) -> None:
        super().__init__()
        self.meter = meter_of(dataset)
        self.show = tuple(show)
        self._lock = threading.Lock()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Reset all counts."""
        self._steps: int | None = self.params["steps"]
        self._done = 0  # steps of all epochs of this fit
        self._warm: tuple[float, int] | None = None
        self._is_terminal = sys.stdout.isatty()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start an epoch, a resumed one in its middle."""
        self._epoch = epoch
        self._batch = self._first_batch = self.params.get("first_batch", 0)
        self._drawn = time.perf_counter()
        self._epoch_start: tuple[float, int] | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the line anew, if the last time is long enough ago."""
        now = time.perf_counter()
        with self._lock:
            self._batch = max(self._batch, self._first_batch + batch + 1)
            images = self.meter.images
            self._warm = self._warm or (now, self._done + self._batch)
            self._epoch_start = self._epoch_start or (now, images)
            wait = REDRAW_SECONDS if self._is_terminal else REPEAT_SECONDS
            if now - self._drawn >= wait:
                self._drawn = now
                self._write(self._line(logs or {}, now), ends=not self._is_terminal)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the epoch's line for the last time, and leave it there."""
        with self._lock:
            self._steps = self._steps or self._batch
            line = self._line(logs or {}, time.perf_counter())
            self._done += self._batch
            self._write(line, ends=True)

    def _line(self, logs: dict[str, Any], now: float) -> str:
        epochs, steps = self.params["epochs"], self._steps
        parts = [f"epoch {self._epoch + 1:>{len(str(epochs))}}/{epochs}"]
        if self._is_terminal and steps:
            full = round(BAR * self._batch / steps)
            parts.append("█" * full + "░" * (BAR - full))
        parts.append(f"step {self._batch}/{steps or '?'}")
        parts += [f"{name} {logs[name]:.4g}" for name in self.show if name in logs]
        rate = logs.get("images_per_second")
        if rate is None and self._epoch_start and now > self._epoch_start[0]:
            started, images = self._epoch_start
            rate = (self.meter.images - images) / (now - started)
        if rate:
            parts.append(f"{rate:.4g} images/s")
        left = self._seconds_left(now)
        if left is not None:
            parts.append(f"{duration(left)} left")
        return "  ".join(parts)

    def _seconds_left(self, now: float) -> float | None:
        if self._warm is None or not self._steps:
            return None
        started, first = self._warm
        done = self._done + self._batch
        left = (self.params["epochs"] - self._epoch) * self._steps - self._batch
        return (now - started) / (done - first) * left if done > first else None

    def _write(self, line: str, ends: bool) -> None:
        if processes.index():
            return
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            line = f"\r{line[:width]}\x1b[K"
        sys.stdout.write(line + "\n" * ends)
        sys.stdout.flush()


def duration(seconds: float) -> str:
    """Format seconds as a person would say them: "0:07", "1:02:03", "2 d 03:04"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
