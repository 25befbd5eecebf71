"""The article's learned mask, kept within its bounds: every position is dimmed."""

from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.masking.draws import SoftDraw
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Spatial


@keras.saving.register_keras_serializable("keras_simmim")
class SoftMasking(MaskGenerator):
    """Dim each block by a learned factor between 0 and 1: x·(1−σ(score(x))).

    With a reconstruction loss the best mask would be none at all, so labels alone may teach it
    (`SimMIM(…, reconstruction_weight=0)`). Short for a `MaskGenerator` of `Spatial` blocks and a
    `SoftDraw`, which says what the score is.

    Args:
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a block size out of range.

    Source: the sample network of "Self-supervised Modeling with Multi-modal Iterative Masking",
    whose linear mask has no bounds.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    views, hidden = ks.masking.SoftMasking()(ops.ones((8, 12, 12, 64)))
    views.shape, hidden.shape   # (8, 1, 12, 12, 64), (8, 1, 12, 12, 1)
    ```
    """

    def __init__(self, block_size: int | tuple[int, int] = 1, **kwargs: Any) -> None:
        super().__init__(
            modalities=[Spatial()], draw=SoftDraw(), ratio=None, block_size=block_size, **kwargs
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name what is hidden "soft"."""
        return ("soft",)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**keras.layers.Layer.get_config(self), "block_size": self.block_size}
