"""Callback that says when a network no longer tells images apart."""

import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.evaluation.embedding_statistics import embedding_statistics


class WarnOfCollapse(keras.callbacks.Callback):
    """Warn when the embeddings of some images vary less and less, or in ever fewer directions.

    After every few epochs it looks at the effective rank and the standard deviation of the
    embeddings, and compares them with those before the first. One warning is given.

    Args:
        images: array (N, H, W, C), uint8 or float 0–255; at least 2, some hundreds are enough.
        every: epochs between two looks, at least 1.
        share: of the rank, and of the deviation, before training, below which a run counts as
            collapsed, between 0 and 1. So does a rank that falls below 1.05.

    Raises:
        ValueError: for arguments out of range.

    Source: the effective rank is that of `ks.evaluation.embedding_statistics`.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(), mask_on="pixels")
    model.compile("adamw")
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 24, 3), dtype="uint8")
    callback = ks.training.callbacks.WarnOfCollapse(images)
    model.fit(images, verbose=0, callbacks=[callback])
    callback.rank > 1   # True
    ```
    """

    def __init__(self, images: np.ndarray, every: int = 1, share: float = 0.2) -> None:
        super().__init__()
        if len(images) < 2:
            raise ValueError(f"images must hold at least 2 images, got {len(images)}.")
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {every!r}.")
        if not 0 < share < 1:
            raise ValueError(f"share must be between 0 and 1, got {share!r}.")
        self.images = np.asarray(images)
        self.every = every
        self.share = share
        self.rank: float | None = None
        self.std: float | None = None
        self._before: tuple[float, float] | None = None
        self._warned = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look at the embeddings before training."""
        self._before = self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at them again, and compare."""
        if (epoch + 1) % self.every or self._warned or self._before is None:
            return
        rank, std = self._look()
        rank_before, std_before = self._before
        fell = rank < self.share * rank_before or std < self.share * std_before
        if rank < 1.05 <= rank_before or fell:
            self._warned = True
            warnings.warn(
                f"the embeddings collapse: after epoch {epoch + 1} their effective rank is "
                f"{rank:.2f} (before training {rank_before:.2f}) and their standard deviation "
                f"{std:.3g} ({std_before:.3g}). Give the objective that keeps images apart more "
                "weight (Uniformity, or balance of Agreement), or take a lower rate.",
                stacklevel=2,
            )

    def _look(self) -> tuple[float, float]:
        found = embedding_statistics(ops.convert_to_tensor(self.model.embed(self.images)))
        self.rank, self.std = (float(found[f"embedding_{name}"]) for name in ("rank", "std"))
        return self.rank, self.std
