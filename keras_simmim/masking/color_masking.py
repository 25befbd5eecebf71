"""Blocks at random that lose their chroma or their luma."""

from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.masking.arguments import check_ratio
from keras_simmim.masking.draws import RandomDraw
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Color


@keras.saving.register_keras_serializable("keras_simmim")
class ColorMasking(MaskGenerator):
    """Hide the chroma or the luma of blocks; their shapes stay visible, or their hues.

    Short for a `MaskGenerator` of `Color` and a `RandomDraw`.

    Args:
        component: what a hidden block loses, "chroma" or "luma".
        ratio: share of the blocks, 0 < ratio < 1; exactly ⌈ratio·N⌉ of N blocks.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        seed: 0 ≤ seed < 2³¹; masks are a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for an unknown component, arguments out of range, or, when built, for fewer
            than two channels.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the color modality.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    masking = ks.masking.ColorMasking("chroma", ratio=0.5, block_size=2)
    views, hidden = masking(ops.convert_to_tensor([[[[1.0, 2.0, 6.0]] * 2] * 4]), step=3)
    views.shape   # (1, 1, 4, 2, 3): one of its two blocks is now (3, 3, 3) everywhere
    ```
    """

    def __init__(
        self,
        component: str = "chroma",
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            modalities=[Color(component)],
            draw=RandomDraw(seed),
            ratio=check_ratio(ratio),
            block_size=block_size,
            **kwargs,
        )
        self.component = component
        self.seed = seed

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **keras.layers.Layer.get_config(self),
            "component": self.component,
            "ratio": self.ratio,
            "block_size": self.block_size,
            "seed": self.seed,
        }
