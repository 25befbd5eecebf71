"""Color: a hidden block loses its chroma or its luma."""

import dataclasses

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.modalities.cosine_basis import cosine_basis
from keras_simmim.masking.modalities.modality import Modality

_RGB_BASIS = (
    (3**-0.5, 3**-0.5, 3**-0.5),
    (2**-0.5, -(2**-0.5), 0.0),
    (6**-0.5, 6**-0.5, -2 * 6**-0.5),
)


@keras.saving.register_keras_serializable("keras_simmim")
@dataclasses.dataclass(frozen=True)
class Color(Modality):
    """Hide the chroma or the luma of a block; its shapes stay visible, or its hues.

    The basis is an orthonormal rotation over channels: for three channels a luma axis
    (1, 1, 1)/√3 and two chroma axes, for any other number the DCT-II, whose constant axis is the
    luma and all others the chroma.

    Args:
        component: what a hidden block loses, "chroma" or "luma".

    Raises:
        ValueError: for an unknown component, or, in `check_block`, for fewer than two channels.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the color modality.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    pixel = ops.reshape(ops.convert_to_tensor([1.0, 2.0, 6.0]), (1, 1, 1, 1, 1, 1, 3))
    luma = ks.masking.Color("luma").project(pixel)
    ops.convert_to_numpy(luma).ravel().tolist()   # [3.0, 3.0, 3.0]
    ```
    """

    component: str = "chroma"

    name = "color"

    def __post_init__(self) -> None:
        """Check the component."""
        if self.component not in ("chroma", "luma"):
            raise ValueError(f"component must be 'chroma' or 'luma', got {self.component!r}.")

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for one channel, which has no color."""
        if block_shape[-1] < 2:
            raise ValueError(
                f"ColorMasking needs at least 2 channels, got {block_shape[-1]}; gray images have "
                "space and texture to hide, but no color."
            )

    def analyze(self, blocks: Tensor) -> Tensor:
        """Rotate channels to luma (channel 0) and chroma (the others)."""
        return ops.matmul(blocks, ops.transpose(self._basis(blocks)))

    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Rotate luma and chroma back to channels."""
        return ops.matmul(coefficients, self._basis(coefficients))

    def project(self, blocks: Tensor) -> Tensor:
        """Give the mean over channels, which is the luma part, or the rest, the chroma part."""
        channels = blocks.shape[-1]
        if channels == 3:
            # XLA fuses a sum of three slices with what follows, and no mean.
            luma = (blocks[..., :1] + blocks[..., 1:2] + blocks[..., 2:]) / 3
        else:
            luma = ops.mean(blocks, axis=-1, keepdims=True)
        return blocks - luma if self.component == "chroma" else luma + ops.zeros_like(blocks)

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """Mark every chroma coefficient, or every luma coefficient."""
        luma = ops.cast(ops.arange(block_shape[-1], dtype="int32") == 0, "float32")
        chosen = 1 - luma if self.component == "chroma" else luma
        return ops.broadcast_to(chosen, block_shape)

    def _basis(self, blocks: Tensor) -> Tensor:
        """Give the rotation (C, C), luma first, in the blocks' precision."""
        channels = blocks.shape[-1]
        if channels == 3:
            return ops.convert_to_tensor(_RGB_BASIS, dtype=blocks.dtype)
        return ops.cast(cosine_basis(channels), blocks.dtype)
