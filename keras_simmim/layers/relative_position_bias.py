"""Relative position bias: learned numbers added to the attention scores, one for each offset."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class RelativePositionBias(keras.layers.Layer):
    """Learn one number per head and per offset between two positions of a grid.

    With a class token three more rows follow: from the class token to a position, from a position
    to it, and from it to itself.

    Args:
        grid: (rows, columns) of positions that attend to each other.
        num_heads: attention heads.
        class_token: whether a class token stands before the positions.
        initializer: of the table.
        **kwargs: passed to `keras.layers.Layer`.

    Source: Liu et al., "Swin Transformer", ICCV 2021, equation 4; with a class token, Bao et al.,
    "BEiT", ICLR 2022.

    Example:
    ```python
    from keras_simmim.layers.relative_position_bias import RelativePositionBias

    layer = RelativePositionBias((2, 3), num_heads=4)
    layer.build()
    layer.bias().shape   # (1, 4, 6, 6)
    ```
    """

    def __init__(
        self,
        grid: tuple[int, int],
        num_heads: int,
        class_token: bool = False,
        initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        rows, columns = grid
        self.grid = (rows, columns)
        self.num_heads = num_heads
        self.class_token = class_token
        self.initializer = keras.initializers.get(initializer)
        self.index = offset_index(self.grid, class_token)

    def build(self, input_shape: Shape | None = None) -> None:
        """Create the table."""
        rows, columns = self.grid
        self.relative_position_bias_table = self.add_weight(
            shape=((2 * rows - 1) * (2 * columns - 1) + 3 * self.class_token, self.num_heads),
            initializer=self.initializer,
            name="relative_position_bias_table",
        )
        self.built = True

    def bias(self) -> Tensor:
        """Return what is added to the scores of N positions: (1, heads, N, N)."""
        table = ops.transpose(ops.convert_to_tensor(self.relative_position_bias_table))
        tokens = len(self.index)
        return ops.reshape(
            ops.take(table, self.index.reshape(-1), axis=1), (1, self.num_heads, tokens, tokens)
        )

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "grid": self.grid,
            "num_heads": self.num_heads,
            "class_token": self.class_token,
            "initializer": keras.initializers.serialize(self.initializer),
        }


def offset_index(grid: tuple[int, int], class_token: bool = False) -> np.ndarray:
    """Return the table's row for each pair of positions: int32 (N, N), query by key."""
    rows, columns = grid
    row, column = (axis.reshape(-1) for axis in np.indices(grid))
    down = row[:, None] - row[None, :] + rows - 1
    across = column[:, None] - column[None, :] + columns - 1
    index = down * (2 * columns - 1) + across
    if class_token:
        offsets = (2 * rows - 1) * (2 * columns - 1)
        index = np.pad(index, ((1, 0), (1, 0)))
        index[0, :], index[:, 0], index[0, 0] = offsets, offsets + 1, offsets + 2
    return index.astype("int32")
