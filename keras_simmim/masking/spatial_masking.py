"""Blocks at random that lose all of themselves: the paper's masks."""

from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.masking.arguments import check_ratio
from keras_simmim.masking.draws import RandomDraw
from keras_simmim.masking.independent_views import IndependentViews
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Spatial


@keras.saving.register_keras_serializable("keras_simmim")
class SpatialMasking(MaskGenerator):
    """Hide whole blocks of positions, a fixed share of them, drawn anew at every step.

    On features a learned token may stand in the hidden positions. Short for a `MaskGenerator` of
    `Spatial` blocks and a `RandomDraw`.

    Args:
        ratio: share of the blocks to hide, 0 < ratio < 1; exactly ⌈ratio·N⌉ of N blocks.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        seed: 0 ≤ seed < 2³¹; masks are a function of (seed, step, image, block).
        views: number of masks that are drawn for each image, at least 1.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a ratio, block size or seed out of range.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.2.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    masking = ks.masking.SpatialMasking(ratio=0.6, block_size=2)
    views, hidden = masking(keras.random.normal((8, 12, 12, 64)), step=3)
    views.shape, hidden.shape   # (8, 1, 12, 12, 64), (8, 1, 6, 6, 1): 22 of 36 blocks hidden
    ```
    """

    def __init__(
        self,
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        views: int = 1,
        **kwargs: Any,
    ) -> None:
        ratio = check_ratio(ratio)
        super().__init__(
            modalities=[Spatial()],
            draw=RandomDraw(seed),
            ratio=ratio if views == 1 else IndependentViews(ratio, views),
            block_size=block_size,
            **kwargs,
        )
        self.ratio = ratio
        self.seed = seed

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **keras.layers.Layer.get_config(self),
            "ratio": self.ratio,
            "block_size": self.block_size,
            "seed": self.seed,
            "views": self.views,
        }
