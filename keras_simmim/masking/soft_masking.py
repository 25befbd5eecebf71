"""The article's learned mask, kept within its bounds: every position is dimmed."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.masking.spatial_masking import SpatialMasking


@keras.saving.register_keras_serializable("keras_simmim")
class SoftMasking(SpatialMasking):
    """Dims each block by a learned factor between 0 and 1: x·(1−σ(score(x))).

    The score is a linear layer on the block's mean, through which the gradient flows. With a
    reconstruction loss the best mask would be none at all, so labels alone may teach it
    (`SimMIM(…, reconstruction_weight=0)`).

    Args:
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a block size out of range.

    Source: the sample network of "Self-supervised Modeling with Multi-modal Iterative Masking",
    whose linear mask has no bounds.

    Example:
    ```python
    views, hidden = SoftMasking()(ops.ones((8, 12, 12, 64)))
    views.shape, hidden.shape   # (8, 1, 12, 12, 64), (8, 1, 12, 12, 1)
    ```
    """

    modality = "soft"
    needs_labels = True

    def __init__(self, block_size: int | tuple[int, int] = 1, **kwargs: Any) -> None:
        super().__init__(block_size=block_size, **kwargs)
        self.scorer = keras.layers.Dense(1, dtype="float32", name="scorer")

    def build(self, input_shape: Shape) -> None:
        """Fix the grid and create the scoring layer."""
        super().build(input_shape)
        self.scorer.build((None, *self.grid, input_shape[-1]))

    def draw(self, tensor: Tensor, step: Tensor | int) -> Tensor:
        """How much of each block is hidden: float32 (B, 1, h, w, 1) between 0 and 1."""
        blocks = ops.cast(self._split(tensor), "float32")
        return ops.sigmoid(self.scorer(ops.mean(blocks, axis=(3, 5))))

    def get_config(self) -> Config:
        """The constructor's arguments."""
        config = super().get_config()
        return {name: value for name, value in config.items() if name not in ("ratio", "seed")}
