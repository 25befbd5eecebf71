"""One field of what is known of a token: the item itself, its category, the time before it."""

import dataclasses

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.modalities.modality import Modality


@keras.saving.register_keras_serializable("keras_simmim")
@dataclasses.dataclass(frozen=True)
class Field(Modality):
    """Hide one of the fields of a token, and leave the others to tell which it was.

    A `SequenceTransformer` with side features has the vectors of its fields side by side where
    masks fall on them: the basis is the identity, and a field is its share of the channels.

    Args:
        index: which field, 0 for the token itself, then the side features in their order.
        count: number of fields.
        title: its name among the modalities; "field_<index>" if None.

    Raises:
        ValueError: for an index out of range, or, in `check_block`, for channels that the fields
            do not share equally.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the stage G: views that
    lost different modalities.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    category = ks.masking.Field(1, count=2)
    ops.convert_to_numpy(category.selection((1, 1, 4))).ravel().tolist()   # [0.0, 0.0, 1.0, 1.0]
    ```
    """

    index: int
    count: int
    title: str | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the title."""
        return f"field_{self.index}" if self.title is None else self.title

    def __post_init__(self) -> None:
        """Check the arguments."""
        whole = isinstance(self.index, int) and isinstance(self.count, int)
        if not whole or not 0 <= self.index < self.count:
            raise ValueError(
                f"index must be from 0 to count - 1, got index={self.index!r}, count={self.count!r}"
            )

    def check_block(self, block_shape: tuple[int, int, int]) -> None:
        """Raise ValueError for channels that do not consist of so many fields."""
        if block_shape[-1] % self.count:
            raise ValueError(
                f"Field(count={self.count}) needs the vectors of as many fields side by side, got "
                f"{block_shape[-1]} channels."
            )

    def analyze(self, blocks: Tensor) -> Tensor:
        """Return the blocks themselves."""
        return blocks

    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Return the coefficients themselves."""
        return coefficients

    def selection(self, block_shape: tuple[int, int, int]) -> Tensor:
        """Mark the channels of the field."""
        width = block_shape[-1] // self.count
        owner = ops.arange(block_shape[-1], dtype="int32") // width
        return ops.broadcast_to(ops.cast(owner == self.index, "float32"), block_shape)
