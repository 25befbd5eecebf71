"""The order in which an encoder of visible positions has them, and the way back."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.mask_generator import spread


def places_of(hidden: Tensor, rows: int, columns: int) -> Tensor:
    """Where every position stands when the visible ones come first, each kind in its own order.

    Args:
        hidden: (B, 1, h, w, 1), 1 for a hidden block.
        rows: number of rows of positions, a multiple of h.
        columns: number of columns of positions, a multiple of w.

    Returns:
        int32 (B, rows·columns), a permutation of 0 … rows·columns − 1 in each row.

    Example:
    ```python
    places_of(ops.reshape([1.0, 0.0, 1.0, 0.0], (1, 1, 2, 2, 1)), 2, 2)   # [[2, 0, 3, 1]]
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
    """The positions in the order of their places: the inverse permutation, int32 (B, N)."""
    return ops.cast(ops.argsort(places, axis=1), "int32")
