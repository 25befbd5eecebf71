"""Spatial masking: a hidden block loses all of itself."""

from typing import Any

import keras
from keras import ops

from keras_simmim.masking.draw import random_ranks
from keras_simmim.masking.mask_generator import MaskGenerator, check_ratio, hidden_count
from keras_simmim.types import Config, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class SpatialMasking(MaskGenerator):
    """Hides whole blocks of positions, a fixed share of them, drawn anew at every step.

    Args:
        ratio: share of the blocks to hide, 0 < ratio < 1; exactly ⌈ratio·N⌉ of N blocks.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        seed: 0 ≤ seed < 2³¹; masks are a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a ratio, block size or seed out of range.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.2.

    Example:
    ```python
    masking = SpatialMasking(ratio=0.6, block_size=2)
    views, hidden = masking(keras.random.normal((8, 12, 12, 64)), step=3)
    views.shape, hidden.shape   # (8, 1, 12, 12, 64), (8, 1, 6, 6, 1): 22 of 36 blocks hidden
    ```
    """

    names = ("spatial",)

    def __init__(
        self,
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(block_size, seed, **kwargs)
        self.ratio = check_ratio(ratio)

    def draw(self, batch_size: Tensor | int, step: Tensor | int) -> Tensor:
        """Draw ⌈ratio·N⌉ blocks of every image: float32 (B, 1, h, w, 1)."""
        blocks = self.grid[0] * self.grid[1]
        ranks = random_ranks(self.seed, step, batch_size, blocks)
        hidden = ranks < hidden_count(self.ratio, blocks)
        return ops.reshape(ops.cast(hidden, "float32"), (-1, 1, *self.grid, 1))

    def fill(self, tensor: Tensor, hidden: Tensor, filling: Tensor | None = None) -> Tensor:
        """Replace hidden blocks by those of `filling`: (1−m)⊙x + m⊙filling, (B, V, H, W, C)."""
        tensor = tensor if len(tensor.shape) == 5 else ops.expand_dims(tensor, 1)
        mask = ops.cast(_spread(hidden, *tensor.shape[2:4]), tensor.dtype)
        visible = tensor * (1 - mask)
        return visible if filling is None else visible + mask * ops.cast(filling, tensor.dtype)

    def hidden_loss(self, target: Tensor, prediction: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Mean absolute error over the numbers of the hidden blocks, {"spatial": (B,)}."""
        mask = _spread(hidden, *target.shape[1:3])
        error = ops.abs(prediction - ops.expand_dims(target, 1)) * mask
        hidden_numbers = ops.sum(mask, axis=(1, 2, 3, 4)) * target.shape[-1]
        return {"spatial": ops.sum(error, axis=(1, 2, 3, 4)) / (hidden_numbers + 1e-5)}

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "ratio": self.ratio}


def _spread(hidden: Tensor, height: int, width: int) -> Tensor:
    """One value per block (B, V, h, w, 1) to one per position (B, V, height, width, 1)."""
    _, views, rows, columns, _ = hidden.shape
    blocks = ops.reshape(hidden, (-1, views, rows, 1, columns, 1, 1))
    spread = ops.broadcast_to(
        blocks,
        (ops.shape(blocks)[0], views, rows, height // rows, columns, width // columns, 1),
    )
    return ops.reshape(spread, (-1, views, height, width, 1))
