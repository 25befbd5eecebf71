"""One modality: an orthonormal basis of a block, some coefficients of which are hidden."""

from typing import Any

from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.masking.mask_generator import MaskGenerator, Plan, check_ratio, hidden_count


class BlockMasking(MaskGenerator):
    """Hides the same coefficients of a fixed share of the blocks, drawn anew at every step.

    Subclasses name the `modality`, and give the basis T (`analyse`, `synthesise`) and the
    coefficients to hide (`selection`). Blocks are tensors (B, V, h, p, w, q, C): a grid of h×w
    blocks of p×q positions.

    Args:
        ratio: share of the blocks, 0 < ratio < 1; exactly ⌈ratio·N⌉ of N blocks.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        seed: 0 ≤ seed < 2³¹; masks are a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a ratio, block size or seed out of range.
    """

    modality: str
    # Whether a hidden block loses all of itself.
    hides_all: bool = False

    def __init__(
        self,
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(block_size, seed, **kwargs)
        self.ratio = check_ratio(ratio)

    def modalities(self) -> tuple[Any, ...]:
        """This one."""
        return (self,)

    def plan(self, blocks: int) -> Plan:
        """One group of ⌈ratio·N⌉ blocks, which are hidden."""
        return (hidden_count(self.ratio, blocks),), (((1.0,),), ((0.0,),))

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for a block (p, q, C) in which there is nothing to hide."""

    def analyse(self, blocks: Tensor) -> Tensor:
        """Coefficients T(x) of blocks, of the same shape."""
        raise NotImplementedError

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Blocks T⁻¹(coefficients), of the same shape."""
        raise NotImplementedError

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """The coefficients that a hidden block (p, q, C) loses: float32 (p, q, C), 1 for lost."""
        raise NotImplementedError

    def project(self, blocks: Tensor) -> Tensor:
        """The part of blocks that hiding takes, T⁻¹(selection⊙T(x))."""
        return self.synthesise(self._selected(self.analyse(blocks)))

    def block_errors(self, error: Tensor) -> Tensor:
        """Σ|T(error)| over the coefficients that hiding takes from each block: (B, V, h, w)."""
        return ops.sum(ops.abs(self._selected(self.analyse(error))), axis=(3, 5, 6))

    def _selected(self, coefficients: Tensor) -> Tensor:
        height, width, channels = (coefficients.shape[axis] for axis in (3, 5, 6))
        selection = ops.expand_dims(self.selection((height, width, channels)), 1)
        return coefficients * ops.cast(selection, coefficients.dtype)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "ratio": self.ratio}
