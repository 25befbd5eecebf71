"""Callback that logs how fast training goes, what it waits for, and the learning rate."""

import time
from typing import Any

import keras
from keras import ops

from keras_simmim.data.pipeline.origin import origin


class Telemetry(keras.callbacks.Callback):
    """Add speed, waiting for data and the learning rate to the logs of every epoch.

    `learning_rate`, the largest of all groups, after the epoch's last step; `epoch_seconds`, the
    training of the epoch without validation; `images_per_second` in that time; and
    `data_wait_share`, the part of it, 0 to 1, for which the next batch was waited for (see
    `ks.data.metered`). The first epoch's figures have the compilation in them.

    It comes first in the list of callbacks: what others do before it at the end of an epoch would
    count as training, and those behind it see the values. It reads nothing from the device while
    an epoch runs.

    Args:
        dataset: what `fit` gets, from `ks.data.metered`.

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
    telemetry = ks.training.callbacks.Telemetry(dataset)
    history = model.fit(dataset, verbose=0, callbacks=[telemetry]).history
    0 <= history["data_wait_share"][0] <= 1   # True
    ```
    """

    def __init__(self, dataset: Any) -> None:
        super().__init__()
        self.meter = meter_of(dataset)
        self._ended: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._before = self.meter.images, self.meter.seconds
        self._ended = None
        self._started = time.perf_counter()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Stop the clock: validation begins."""
        self._ended = self._ended or time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the epoch's values into the logs."""
        seconds = (self._ended or time.perf_counter()) - self._started
        images, waited = self._before
        if logs is not None:
            logs["learning_rate"] = learning_rate(self.model.optimizer)
            logs["epoch_seconds"] = seconds
            logs["images_per_second"] = (self.meter.images - images) / seconds
            logs["data_wait_share"] = min(1.0, (self.meter.seconds - waited) / seconds)


def meter_of(dataset: Any) -> Any:
    """Return the meter of a dataset.

    Raises:
        ValueError: if there is none.
    """
    meter = origin(dataset, "meter")
    if meter is None:
        raise ValueError(
            "dataset must come from ks.data.metered, which counts images and waiting, got "
            f"{type(dataset).__name__}."
        )
    return meter


def learning_rate(optimizer: Any) -> float:
    """Return the rate of the next step; the largest one of an optimizer of several."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    optimizers = getattr(optimizer, "optimizers", [optimizer])
    return max(float(ops.convert_to_numpy(each.learning_rate)) for each in optimizers)
