"""Callback that writes pictures and feature distributions while the model trains."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.evaluation.labeled_batches import check_truth
from keras_simmim.training.tensorboard_writer import TensorBoardWriter


class Watch(keras.callbacks.Callback):
    """Show in TensorBoard what a few images look like to the model, every few epochs.

    It writes the model's `sheets` as pictures, and the distributions of its `features_by_stage`.
    Those of a `SimMIM` are reconstructions and masks, which are the same each time, so that
    pictures of two epochs compare, unless what to hide is learned; a segmenter shows classes as
    colors, a detector boxes. The epochs that are finished are the axis.

    Args:
        images: array (N, H, W, C), uint8 or float 0–255; about eight to look at.
        log_dir: TensorBoard's directory; files go to its `train` run.
        every: epochs between two pictures, at least 1; the last epoch always has one.
        truth: masks (N, H, W) or {"boxes": (N, M, 4), "labels": (N, M)} to show beside what a
            segmenter or a detector finds; or None.
        shown_channels: numbers of the channels to show as red, green and blue, or of one as gray;
            the first three if None, or the first of one or two.

    Raises:
        ValueError: for no images, `every` below 1, or truth of another number of images.

    Example:
    ```python
    import os
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    watch = ks.training.callbacks.Watch(images[:2], "runs/first/logs", every=5)
    model.fit(images, verbose=0, callbacks=[watch])
    os.listdir("runs/first/logs")   # ['train']
    ```
    """

    def __init__(
        self,
        images: np.ndarray,
        log_dir: str | os.PathLike[str],
        every: int = 1,
        truth: Any = None,
        shown_channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if len(images) == 0:
            raise ValueError("images must hold at least one image, got none.")
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {every!r}.")
        if truth is not None:
            check_truth(images, truth)
        self.images, self.truth = np.asarray(images), truth
        self.log_dir = os.path.join(os.fspath(log_dir), "train")
        self.every = every
        # Models of one's own need not know of it.
        self.shown = {} if shown_channels is None else {"shown_channels": shown_channels}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the log."""
        self._writer = TensorBoardWriter(self.log_dir)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write pictures and distributions every few epochs, and after the last."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"]:
            self._write(epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the log."""
        self._writer.close()

    def _write(self, epochs: int) -> None:
        model = self.model
        for name, sheet in model.sheets(self.images, self.truth, **self.shown).items():
            self._writer.picture(name, sheet, epochs)
        found = model.in_one_piece(model.features_by_stage, ops.convert_to_tensor(self.images))
        for name, features in found.items():
            values = ops.convert_to_numpy(ops.cast(ops.stop_gradient(features), "float32"))
            self._writer.histogram(f"features/{name}", values, epochs)
        self._writer.flush()
