"""Blocks at random that lose their low or their high spatial frequencies."""

from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.masking.arguments import check_ratio
from keras_simmim.masking.draws import RandomDraw
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Texture


@keras.saving.register_keras_serializable("keras_simmim")
class TextureMasking(MaskGenerator):
    """Hide the low or the high frequencies of blocks, of every channel alike.

    Short for a `MaskGenerator` of `Texture` and a `RandomDraw`.

    Args:
        band: what a hidden block loses, "low" or "high".
        cutoff: share of the largest diagonal frequency up to which a frequency (i, j) is low:
            i + j ≤ cutoff·(p − 1 + q − 1) in a block of p×q positions; 0 < cutoff < 1.
        ratio: share of the blocks, 0 < ratio < 1; exactly ⌈ratio·N⌉ of N blocks.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        seed: 0 ≤ seed < 2³¹; masks are a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for an unknown band, arguments out of range, or, when built, for blocks of
            one position, which have no texture.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the texture modality.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    masking = ks.masking.TextureMasking("low", cutoff=0.25, ratio=0.5, block_size=8)
    views, hidden = masking(keras.random.normal((8, 32, 32, 3)), step=3)
    views.shape, hidden.shape   # (8, 1, 32, 32, 3), (8, 1, 4, 4, 1): 8 of 16 blocks hidden
    ```
    """

    def __init__(
        self,
        band: str = "low",
        cutoff: float = 0.25,
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            modalities=[Texture(band, cutoff)],
            draw=RandomDraw(seed),
            ratio=check_ratio(ratio),
            block_size=block_size,
            **kwargs,
        )
        self.band = band
        self.cutoff = cutoff
        self.seed = seed

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **keras.layers.Layer.get_config(self),
            "band": self.band,
            "cutoff": self.cutoff,
            "ratio": self.ratio,
            "block_size": self.block_size,
            "seed": self.seed,
        }
