"""Callback that writes pictures and feature distributions while the model trains."""

import os
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.evaluation.features_by_stage import features_by_stage
from keras_simmim.evaluation.reconstruction_sheet import sheet_of
from keras_simmim.training.tensorboard_writer import TensorBoardWriter


class Watch(keras.callbacks.Callback):
    """Show in TensorBoard what a few images look like to the model, every few epochs.

    It writes the reconstruction sheet and the masks as pictures, and the distributions of features
    stage by stage: of the stem, the encoder, the encoded masked views and, with a classifier, of
    what the aggregator gives it. The masks are the same each time, so that pictures of two epochs
    compare, unless what to hide is learned. The epochs that are finished are the axis.

    Args:
        images: array (N, H, W, C), uint8 or float 0–255; about eight to look at.
        log_dir: TensorBoard's directory; files go to its `train` run.
        every: epochs between two pictures, at least 1; the last epoch always has one.

    Raises:
        ValueError: for no images or `every` below 1.

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

    def __init__(self, images: np.ndarray, log_dir: str | os.PathLike[str], every: int = 1) -> None:
        super().__init__()
        if len(images) == 0:
            raise ValueError("images must hold at least one image, got none.")
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {every!r}.")
        self.images = np.asarray(images)
        self.log_dir = os.path.join(os.fspath(log_dir), "train")
        self.every = every

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
        if model.reconstructs:
            pictures = model.reconstruct(self.images)
            self._writer.picture("reconstructions", sheet_of(pictures), epochs)
            self._writer.picture("masks", mask_sheet(pictures["mask"]), epochs)

        def stages(images: Tensor) -> dict[str, Tensor]:
            return features_by_stage(model, images)

        found = model.in_one_piece(stages, ops.convert_to_tensor(self.images))
        for name, features in found.items():
            values = ops.convert_to_numpy(ops.cast(ops.stop_gradient(features), "float32"))
            self._writer.histogram(f"features/{name}", values, epochs)
        self._writer.flush()


def mask_sheet(masks: np.ndarray) -> np.ndarray:
    """Lay out masks, hidden parts white, one image a column and one view a row: (H, W, 1)."""
    masks = masks.astype("uint8") * 255
    views = masks[:, None] if masks.ndim == 3 else masks
    rows = [np.concatenate(list(view), axis=1) for view in views.swapaxes(0, 1)]
    return np.concatenate(rows, axis=0)[..., None]
