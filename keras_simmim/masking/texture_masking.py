"""Texture masking: a hidden block loses its low or its high spatial frequencies."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.masking.block_masking import BlockMasking
from keras_simmim.masking.cosine_basis import cosine_basis


@keras.saving.register_keras_serializable("keras_simmim")
class TextureMasking(BlockMasking):
    """Hides the low or the high frequencies of blocks, of every channel alike.

    The basis is the orthonormal two-dimensional DCT-II of the block, as in JPEG; on sequences it
    is one-dimensional.

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
    masking = TextureMasking("low", cutoff=0.25, ratio=0.5, block_size=8)
    views, hidden = masking(keras.random.normal((8, 32, 32, 3)), step=3)
    float(ops.sum(masking.selection((8, 8, 1))))   # 10.0 of 64 coefficients
    ```
    """

    modality = "texture"

    def __init__(
        self,
        band: str = "low",
        cutoff: float = 0.25,
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(ratio, block_size, seed, **kwargs)
        if band not in ("low", "high"):
            raise ValueError(f"band must be 'low' or 'high', got {band!r}.")
        if not isinstance(cutoff, int | float) or not 0 < cutoff < 1:
            raise ValueError(f"cutoff must be a number with 0 < cutoff < 1, got {cutoff!r}.")
        self.band = band
        self.cutoff = float(cutoff)

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for a block of one position, which has no texture."""
        if block_shape[0] * block_shape[1] < 2:
            raise ValueError(
                "TextureMasking needs blocks of at least 2 positions, got block_size="
                f"{self.block_size} on a tensor where that is one position."
            )

    def analyse(self, blocks: Tensor) -> Tensor:
        """Frequencies (i, j) of every block and channel."""
        rows, columns = self._bases(blocks)
        return ops.einsum("bvhpwqc,ip,jq->bvhiwjc", blocks, rows, columns)

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Blocks from their frequencies."""
        rows, columns = self._bases(coefficients)
        return ops.einsum("bvhiwjc,ip,jq->bvhpwqc", coefficients, rows, columns)

    def project(self, blocks: Tensor) -> Tensor:
        """The low band, from the few cosines that it is made of; the high band is the rest."""
        _, views, rows, height, columns, width, channels = blocks.shape
        last = self._last_low(height, width)
        first, second = (
            ops.cast(cosine_basis(size)[: last + 1], blocks.dtype) for size in (height, width)
        )
        kept = (first.shape[0], second.shape[0])
        low = ops.expand_dims(self._diagonal(*kept) <= last, 1)
        # Three channels make a poor matrix: they are taken along with the columns.
        narrow = channels <= 8
        if narrow:
            second = ops.reshape(
                ops.einsum("jq,cd->jcqd", second, ops.eye(channels, dtype=blocks.dtype)),
                (kept[1] * channels, width * channels),
            )
        lines = ops.reshape(blocks, (-1, height, columns * width * channels))
        lines = ops.matmul(first, lines)
        inner = (width * channels,) if narrow else (width, channels)
        lines = ops.reshape(lines, (-1, *inner))
        lines = ops.matmul(lines, ops.transpose(second)) if narrow else ops.matmul(second, lines)
        lines = ops.reshape(lines, (-1, kept[0], columns, kept[1], channels))
        lines = lines * ops.cast(low, blocks.dtype)
        lines = ops.reshape(lines, (-1, kept[1] * channels) if narrow else (-1, kept[1], channels))
        lines = ops.matmul(lines, second) if narrow else ops.matmul(ops.transpose(second), lines)
        lines = ops.reshape(lines, (-1, kept[0], columns * width * channels))
        lines = ops.matmul(ops.transpose(first), lines)
        part = ops.reshape(lines, (-1, views, rows, height, columns, width, channels))
        return part if self.band == "low" else blocks - part

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """The low band, or the high band."""
        height, width, channels = block_shape
        low = ops.cast(self._diagonal(height, width) <= self._last_low(height, width), "float32")
        chosen = low if self.band == "low" else 1 - low
        return ops.broadcast_to(chosen, (height, width, channels))

    def _last_low(self, height: int, width: int) -> int:
        """The largest diagonal frequency that is low."""
        # Without the tolerance 0.3·10 would fall below 3.
        return int(self.cutoff * (height + width - 2) + 1e-9)

    def _diagonal(self, height: int, width: int) -> Tensor:
        """The sum i + j of every frequency: int32 (p, q, 1)."""
        rows = ops.reshape(ops.arange(height, dtype="int32"), (-1, 1, 1))
        return rows + ops.reshape(ops.arange(width, dtype="int32"), (1, -1, 1))

    def _bases(self, blocks: Tensor) -> tuple[Tensor, Tensor]:
        rows, columns = cosine_basis(blocks.shape[3]), cosine_basis(blocks.shape[5])
        return ops.cast(rows, blocks.dtype), ops.cast(columns, blocks.dtype)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "band": self.band, "cutoff": self.cutoff}
