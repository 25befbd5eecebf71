"""Texture: a hidden block loses its low or its high spatial frequencies."""

import dataclasses

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.modalities.cosine_basis import cosine_basis
from keras_simmim.masking.modalities.modality import Modality


@keras.saving.register_keras_serializable("keras_simmim")
@dataclasses.dataclass(frozen=True)
class Texture(Modality):
    """Hide the low or the high frequencies of a block, of every channel alike.

    The basis is the orthonormal two-dimensional DCT-II of the block, as in JPEG; on sequences it
    is one-dimensional.

    Args:
        band: what a hidden block loses, "low" or "high".
        cutoff: share of the largest diagonal frequency up to which a frequency (i, j) is low:
            i + j ≤ cutoff·(p − 1 + q − 1) in a block of p×q positions; 0 < cutoff < 1.

    Raises:
        ValueError: for an unknown band or a cutoff out of range, or, in `check_block`, for blocks
            of one position, which have no texture.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the texture modality.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    texture = ks.masking.Texture("low", cutoff=0.25)
    float(ops.sum(texture.selection((8, 8, 1))))   # 10.0 of 64 coefficients
    ```
    """

    band: str = "low"
    cutoff: float = 0.25

    name = "texture"

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.band not in ("low", "high"):
            raise ValueError(f"band must be 'low' or 'high', got {self.band!r}.")
        if not isinstance(self.cutoff, int | float) or not 0 < self.cutoff < 1:
            raise ValueError(f"cutoff must be a number with 0 < cutoff < 1, got {self.cutoff!r}.")

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for a block of one position, which has no texture."""
        height, width, _ = block_shape
        if height * width < 2:
            raise ValueError(
                f"TextureMasking needs blocks of at least 2 positions, got {height} by {width}; "
                "accepted are larger values of block_size."
            )

    def analyze(self, blocks: Tensor) -> Tensor:
        """Transform every block and channel to its frequencies (i, j)."""
        rows, columns = self._bases(blocks)
        return ops.einsum("bvhpwqc,ip,jq->bvhiwjc", blocks, rows, columns)

    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Transform frequencies back to blocks."""
        rows, columns = self._bases(coefficients)
        return ops.einsum("bvhiwjc,ip,jq->bvhpwqc", coefficients, rows, columns)

    def project(self, blocks: Tensor) -> Tensor:
        """Give the low band, made of its few cosines, or the rest, which is the high band."""
        _, views, rows, height, columns, width, channels = blocks.shape
        last = self._last_low(height, width)
        first, second = (
            ops.cast(cosine_basis(size)[: last + 1], blocks.dtype) for size in (height, width)
        )
        kept = (first.shape[0], second.shape[0])
        low = ops.expand_dims(_diagonal(*kept) <= last, 1)
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
        """Mark the low band, or the high band."""
        height, width, channels = block_shape
        low = ops.cast(_diagonal(height, width) <= self._last_low(height, width), "float32")
        chosen = low if self.band == "low" else 1 - low
        return ops.broadcast_to(chosen, (height, width, channels))

    def _last_low(self, height: int, width: int) -> int:
        """Find the largest diagonal frequency that is low."""
        # Without the tolerance 0.3·10 would fall below 3.
        return int(self.cutoff * (height + width - 2) + 1e-9)

    def _bases(self, blocks: Tensor) -> tuple[Tensor, Tensor]:
        """Give the cosines of rows (p, p) and columns (q, q) in the blocks' precision."""
        rows, columns = cosine_basis(blocks.shape[3]), cosine_basis(blocks.shape[5])
        return ops.cast(rows, blocks.dtype), ops.cast(columns, blocks.dtype)


def _diagonal(height: int, width: int) -> Tensor:
    """Add up i + j of every frequency: int32 (p, q, 1)."""
    rows = ops.reshape(ops.arange(height, dtype="int32"), (-1, 1, 1))
    return rows + ops.reshape(ops.arange(width, dtype="int32"), (1, -1, 1))
