"""Callback that measures what the model has learned while it trains."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_simmim.training.tensorboard_writer import TensorBoardWriter


class Evaluate(keras.callbacks.Callback):
    """Run evaluators every few epochs, and put their values into logs, History and TensorBoard.

    An epoch without an evaluation repeats the last values, so that all columns of the History
    are as long; its `evaluate_seconds` are 0. Before the first there are none, and so one comes
    before training, into the logs of `on_train_begin`. Callbacks that should see the values stand
    behind this one.

    Args:
        evaluators: functions of the model that yield (name, value), such as
            `ks.evaluation.KNN(reference, held_out)`.
        every: epochs between two evaluations, at least 1; the last epoch always has one.
        log_dir: TensorBoard's directory, to whose `validation` run the values go; none if None.

    Raises:
        ValueError: for no evaluators, something that cannot be called, or `every` below 1.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images, labels = np.random.randint(0, 256, (8, 16, 24, 3), "uint8"), np.arange(8) % 2
    knn = ks.evaluation.KNN((images, labels), (images, labels), k=1)
    evaluate = ks.training.callbacks.Evaluate([knn], every=5)
    history = model.fit(images, epochs=2, verbose=0, callbacks=[evaluate]).history
    history["knn_accuracy"]   # [1.0, 1.0]
    ```
    """

    def __init__(
        self,
        evaluators: Sequence[Callable[[Any], Iterable[tuple[str, float]]]],
        every: int = 1,
        log_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        if not evaluators or not all(map(callable, evaluators)):
            raise ValueError(
                f"evaluators must be functions of the model, at least one, got {evaluators!r}."
            )
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {every!r}.")
        self.evaluators = list(evaluators)
        self.every = every
        self.log_dir = None if log_dir is None else Path(log_dir) / "validation"
        self.values: dict[str, float] = {}
        self.seconds = 0.0
        self._writer: TensorBoardWriter | None = None
        self._is_first = True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Evaluate the model as it is, so that a mistake shows before anything was learned."""
        self._started = time.perf_counter()
        self.seconds = 0.0
        if self.log_dir is not None:
            self._writer = TensorBoardWriter(self.log_dir)
        self._evaluate()
        self._is_first = True
        if logs is not None:
            logs.update(self.values)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the values from before training, once it is known after how many epochs."""
        if self._is_first:
            self._write(epoch)
            self._is_first = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluate every few epochs, and put the values into the logs."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            self._evaluate()
            self._write(epoch + 1)
        else:
            self.values["evaluate_seconds"] = 0.0
        if logs is not None:
            logs.update(self.values)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def share(self) -> float:
        """Return the share of the time since `fit` began that went into evaluating, 0 to 1."""
        return self.seconds / (time.perf_counter() - self._started)

    def _evaluate(self) -> None:
        started, model = time.perf_counter(), self.model
        for evaluator in self.evaluators:
            self.values |= {name: float(value) for name, value in evaluator(model)}
        seconds = time.perf_counter() - started
        self.seconds += seconds
        self.values["evaluate_seconds"] = seconds

    def _write(self, epochs: int) -> None:
        if self._writer is not None:
            for name, value in self.values.items():
                self._writer.scalar(name, value, epochs)
