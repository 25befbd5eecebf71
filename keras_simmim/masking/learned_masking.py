"""Blocks that were hard to predict so far, hidden entirely."""

from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.masking.arguments import check_ratio
from keras_simmim.masking.draws import LearnedDraw
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Spatial


@keras.saving.register_keras_serializable("keras_simmim")
class LearnedMasking(MaskGenerator):
    """Hide whole blocks, more and more those whose content was hard to predict so far.

    Exactly ⌈ratio·N⌉ of N blocks are hidden: the mask can be neither empty nor full, and no block
    is sure to be hidden. Short for a `MaskGenerator` of `Spatial` blocks and a `LearnedDraw`,
    which says how blocks are scored and what teaches the scores.

    Args:
        ratio: share of the blocks to hide, 0 < ratio < 1; exactly ⌈ratio·N⌉ of N blocks.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        adversarial: instead of ranking, let the gradient of the loss reach the scores reversed,
            through a straight-through estimate of the mask.
        sharpness: weight of a standard deviation of scores against the Gumbel noise, above 0.
        ramp_steps: training steps until the sharpness is reached, at least 1.
        seed: 0 ≤ seed < 2³¹; the noise is a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range.

    Source: Wang et al., "Hard Patches Mining for Masked Image Modeling", CVPR 2023, sections 3.3
    and 3.4.

    Example:
    ```python
    import keras
    from keras import ops
    import keras_simmim as ks

    masking = ks.masking.LearnedMasking(ratio=0.6, block_size=2, ramp_steps=1000)
    views, hidden = masking(keras.random.normal((8, 12, 12, 64)), step=3)
    float(ops.sum(hidden)) / 8   # 22.0 of 36 blocks of each image
    ```
    """

    def __init__(
        self,
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        adversarial: bool = False,
        sharpness: float = 2.0,
        ramp_steps: int = 1000,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            modalities=[Spatial()],
            draw=LearnedDraw(
                seed=seed, adversarial=adversarial, sharpness=sharpness, ramp_steps=ramp_steps
            ),
            ratio=check_ratio(ratio),
            block_size=block_size,
            **kwargs,
        )
        self.adversarial = adversarial
        self.sharpness = float(sharpness)
        self.ramp_steps = ramp_steps
        self.seed = seed

    @property
    def names(self) -> tuple[str, ...]:
        """Log the loss as "learned_loss"."""
        return ("learned",)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **keras.layers.Layer.get_config(self),
            "ratio": self.ratio,
            "block_size": self.block_size,
            "adversarial": self.adversarial,
            "sharpness": self.sharpness,
            "ramp_steps": self.ramp_steps,
            "seed": self.seed,
        }
