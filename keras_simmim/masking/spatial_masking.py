"""Spatial masking: a hidden block loses all of itself."""

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.block_masking import BlockMasking


@keras.saving.register_keras_serializable("keras_simmim")
class SpatialMasking(BlockMasking):
    """Hides whole blocks of positions, a fixed share of them, drawn anew at every step.

    The basis is the identity. On features a learned token may stand in the hidden positions.

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

    modality = "spatial"
    hides_all = True

    def analyse(self, blocks: Tensor) -> Tensor:
        """The blocks themselves."""
        return blocks

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """The coefficients themselves."""
        return coefficients

    def project(self, blocks: Tensor) -> Tensor:
        """All of it; a single vector (C,) too, which is the same in every position."""
        return blocks

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """All coefficients."""
        return ops.ones(block_shape)
