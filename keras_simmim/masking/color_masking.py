"""Color masking: a hidden block loses its chroma or its luma."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.masking.block_masking import BlockMasking
from keras_simmim.masking.cosine_basis import cosine_basis

_RGB_BASIS = (
    (3**-0.5, 3**-0.5, 3**-0.5),
    (2**-0.5, -(2**-0.5), 0.0),
    (6**-0.5, 6**-0.5, -2 * 6**-0.5),
)


@keras.saving.register_keras_serializable("keras_simmim")
class ColorMasking(BlockMasking):
    """Hides the chroma or the luma of blocks; their shapes stay visible, or their hues.

    The basis is an orthonormal rotation over channels: for three channels a luma axis
    (1, 1, 1)/√3 and two chroma axes, for any other number the DCT-II, whose constant axis is the
    luma and all others the chroma.

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
    masking = ColorMasking("chroma", ratio=0.5, block_size=2)
    views, hidden = masking(ops.convert_to_tensor([[[[1.0, 2.0, 6.0]] * 2] * 4]), step=3)
    views.shape   # (1, 1, 4, 2, 3): one of its two blocks is now (3, 3, 3) everywhere
    ```
    """

    modality = "color"

    def __init__(
        self,
        component: str = "chroma",
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(ratio, block_size, seed, **kwargs)
        if component not in ("chroma", "luma"):
            raise ValueError(f"component must be 'chroma' or 'luma', got {component!r}.")
        self.component = component

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for one channel, which has no color."""
        if block_shape[-1] < 2:
            raise ValueError(
                f"ColorMasking needs at least 2 channels, got {block_shape[-1]}; grey images have "
                "space and texture to hide, but no color."
            )

    def analyse(self, blocks: Tensor) -> Tensor:
        """Luma (channel 0) and chroma (the others)."""
        return ops.matmul(blocks, ops.transpose(self._basis(blocks)))

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Channels from luma and chroma."""
        return ops.matmul(coefficients, self._basis(coefficients))

    def project(self, blocks: Tensor) -> Tensor:
        """The mean over channels is the luma part, the rest the chroma part."""
        channels = blocks.shape[-1]
        if channels == 3:
            # XLA fuses a sum of three slices with what follows, and no mean.
            luma = (blocks[..., :1] + blocks[..., 1:2] + blocks[..., 2:]) / 3
        else:
            luma = ops.mean(blocks, axis=-1, keepdims=True)
        return blocks - luma if self.component == "chroma" else luma + ops.zeros_like(blocks)

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """Every chroma coefficient, or every luma coefficient."""
        luma = ops.cast(ops.arange(block_shape[-1], dtype="int32") == 0, "float32")
        chosen = 1 - luma if self.component == "chroma" else luma
        return ops.broadcast_to(chosen, block_shape)

    def _basis(self, blocks: Tensor) -> Tensor:
        channels = blocks.shape[-1]
        if channels == 3:
            return ops.convert_to_tensor(_RGB_BASIS, dtype=blocks.dtype)
        return ops.cast(cosine_basis(channels), blocks.dtype)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "component": self.component}
