"""Blocks at random that lose all of themselves: the paper's masks."""

from typing import Any

import keras

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.masking.arguments import check_ratio
from keras_simmim.masking.draws import RandomDraw
from keras_simmim.masking.independent_views import IndependentViews
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Spatial
from keras_simmim.masking.stand_ins import stand_ins


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
        kept: share of the hidden positions that stay as they are, though they are to be predicted.
        swapped: share of the hidden positions where something else stands, a position of the next
            example of the batch. BERT's words are kept=0.1 and swapped=0.1; its other words come
            from the vocabulary, and these as often as they occur.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a ratio, block size or seed out of range.

    Source: Xie et al., "SimMIM", CVPR 2022, section 3.2; what stays and what is swapped: Devlin et
    al., "BERT", NAACL 2019, section 3.1.

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
        kept: float = 0.0,
        swapped: float = 0.0,
        **kwargs: Any,
    ) -> None:
        for name, share in (("kept", kept), ("swapped", swapped)):
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ValueError(f"{name} must be a number from 0 to 1, got {share!r}.")
        if kept + swapped > 1:
            raise ValueError(f"kept + swapped must be at most 1, got {kept} + {swapped}.")
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
        self.kept, self.swapped = float(kept), float(swapped)

    @property
    def hides_whole_positions(self) -> bool:
        """Say whether hidden positions can be left out, which those that show anything cannot."""
        return super().hides_whole_positions and not self.kept + self.swapped

    def hide(
        self,
        tensor: Tensor,
        hidden: Tensor,
        token: Tensor | None = None,
        step: Tensor | int = 0,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Hide what was drawn, but for the shares that stay or show something else."""
        views = super().hide(tensor, hidden, token, step, valid)
        if not self.kept + self.swapped:
            return views
        return stand_ins(tensor, views, hidden, self.kept, self.swapped, self.seed, step, valid)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **keras.layers.Layer.get_config(self),
            "ratio": self.ratio,
            "block_size": self.block_size,
            "seed": self.seed,
            "views": self.views,
            "kept": self.kept,
            "swapped": self.swapped,
        }
