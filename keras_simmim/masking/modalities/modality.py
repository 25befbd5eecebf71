"""The contract of every modality: a basis of a block, and which coefficients are hidden in it."""

import dataclasses
from typing import ClassVar

from keras import ops

from keras_simmim.backend.types import Config, Tensor


@dataclasses.dataclass(frozen=True)
class Modality:
    """Hide some coefficients of blocks in an orthonormal basis T: T⁻¹((1−s)⊙T(x)), s 0 or 1.

    Blocks are tensors (B, V, h, p, w, q, C): a grid of h×w blocks of p×q positions. A modality is
    no layer and has no weights. It cannot be changed, and two of equal arguments are equal.

    Subclasses are frozen dataclasses, whose fields are the configuration, registered with Keras.
    They have a `name`, by which losses are logged, and give the basis (`analyze`, `synthesize`)
    and what to hide in it (`selection`). `hides_all` says whether a hidden block loses all of
    itself, so that a mask token can replace it.

    Example:
    ```python
    import dataclasses
    import keras
    from keras import ops
    import keras_simmim as ks


    @keras.saving.register_keras_serializable("examples")
    @dataclasses.dataclass(frozen=True)
    class FirstChannels(ks.masking.Modality):
        count: int = 1
        name = "first_channels"

        def analyze(self, blocks):
            return blocks

        def synthesize(self, coefficients):
            return coefficients

        def selection(self, block_shape):
            chosen = ops.arange(block_shape[-1]) < self.count
            return ops.broadcast_to(ops.cast(chosen, "float32"), block_shape)


    masking = ks.masking.MaskGenerator([FirstChannels()], ks.masking.RandomDraw(), 0.5, 2)
    views, _ = masking(ops.ones((1, 4, 4, 3)))
    float(ops.sum(views))   # 40.0 of 48: the first channel of two blocks of four positions is 0
    ```
    """

    name: ClassVar[str]
    hides_all: ClassVar[bool] = False

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for a block (p, q, C) in which there is nothing to hide."""

    def analyze(self, blocks: Tensor) -> Tensor:
        """Give the coefficients T(x) of blocks, of the same shape."""
        raise NotImplementedError

    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Give the blocks T⁻¹(coefficients), of the same shape."""
        raise NotImplementedError

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """Mark the coefficients that a hidden block (p, q, C) loses: float32 (p, q, C), 0 or 1."""
        raise NotImplementedError

    def project(self, blocks: Tensor) -> Tensor:
        """Give the part of blocks that hiding takes, T⁻¹(selection⊙T(x))."""
        return self.synthesize(self._selected(self.analyze(blocks)))

    def block_errors(self, error: Tensor, squared: bool = False) -> Tensor:
        """Sum |T(error)| over the coefficients that hiding takes from each block: (B, V, h, w).

        Args:
            error: (B, V, h, p, w, q, C).
            squared: whether squares are summed instead.
        """
        lost = self._selected(self.analyze(error))
        return ops.sum(ops.square(lost) if squared else ops.abs(lost), axis=(3, 5, 6))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: Config) -> "Modality":
        """Make a modality of this configuration."""
        return cls(**config)

    def _selected(self, coefficients: Tensor) -> Tensor:
        """Keep the coefficients that hiding takes, and set the others to 0."""
        height, width, channels = (coefficients.shape[axis] for axis in (3, 5, 6))
        selection = ops.expand_dims(self.selection((height, width, channels)), 1)
        return coefficients * ops.cast(selection, coefficients.dtype)
