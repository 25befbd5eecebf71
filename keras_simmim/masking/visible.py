"""Which positions are encoded, and how a head finds its way back to all of them."""

from typing import NamedTuple, Self

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.blocks import spread


class Visible(NamedTuple):
    """Hold the positions that an encoder is given; all of them by default.

    Args:
        positions: int32 (B, n), those that lose nothing, in order; None for all.
        places: int32 (B, N), where every position stands among the encoded ones; n or more for
            the others. None for all.
        shown: float (B, h, w), how much is visible of each position of complete maps, of which
            an encoder saw no more; None for all.

    Source: He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022.
    """

    positions: Tensor | None = None
    places: Tensor | None = None
    shown: Tensor | None = None

    @classmethod
    def of(cls, hidden: Tensor, rows: int, columns: int, count: int) -> Self:
        """Choose the positions that no block of a mask hides.

        Args:
            hidden: (B, 1, h, w, 1), 1 for a hidden block.
            rows: number of rows of positions, a multiple of h.
            columns: number of columns of positions, a multiple of w.
            count: number n of positions that are visible in each image.
        """
        places = places_of(hidden, rows, columns)
        return cls(visible_first(places)[:, :count], places)

    def encode(
        self, encoder: keras.layers.Layer, features: Tensor, training: bool, **options: Tensor
    ) -> Tensor:
        """Run an encoder over these positions of features (B, h, w, c)."""
        chosen = {} if self.positions is None else {"visible": self.positions}
        return encoder(features, training=training, **chosen, **options)

    def decode(self, head: keras.layers.Layer, encoded: Tensor) -> Tensor:
        """Run a head that predicts all positions from what was encoded."""
        chosen = {"places": self.places, "shown": self.shown}
        return head(encoded, **{name: value for name, value in chosen.items() if value is not None})


def places_of(hidden: Tensor, rows: int, columns: int) -> Tensor:
    """Find where every position stands when visible ones come first, each kind in its own order.

    Args:
        hidden: (B, 1, h, w, 1), 1 for a hidden block.
        rows: number of rows of positions, a multiple of h.
        columns: number of columns of positions, a multiple of w.

    Returns:
        int32 (B, rows·columns), a permutation of 0 … rows·columns − 1 in each row.

    Example:
    ```python
    from keras import ops
    from keras_simmim.masking.visible import places_of

    hidden = ops.reshape(ops.convert_to_tensor([1.0, 0.0, 1.0, 0.0]), (1, 1, 2, 2, 1))
    ops.convert_to_numpy(places_of(hidden, 2, 2)).tolist()   # [[2, 0, 3, 1]]
    ```
    """
    _, _, block_rows, block_columns, _ = hidden.shape
    mask = spread(ops.stop_gradient(hidden), rows // block_rows, columns // block_columns)
    mask = ops.cast(ops.reshape(mask, (-1, rows * columns)) > 0, "int32")
    before = ops.cumsum(mask, axis=1) - mask
    visible = rows * columns - ops.sum(mask, axis=1, keepdims=True)
    index = ops.expand_dims(ops.arange(rows * columns, dtype="int32"), 0)
    return ops.cast(ops.where(mask > 0, visible + before, index - before), "int32")


def visible_first(places: Tensor) -> Tensor:
    """Order the positions by their places: the inverse permutation, int32 (B, N)."""
    return ops.cast(ops.argsort(places, axis=1), "int32")
