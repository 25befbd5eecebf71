"""Tokens to the positions that they belong to."""

from typing import Any

import keras

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.initialization import TruncatedNormal


@keras.saving.register_keras_serializable("keras_simmim")
class PositionHead(keras.layers.Layer):
    """Score the positions that each token may have, linearly; it owns what stands for a position.

    Args:
        positions: number N of positions.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a number that is no positive integer.

    Source: Wang et al., "DropPos: Pre-Training Vision Transformers by Reconstructing Dropped
    Positions", NeurIPS 2023.

    Example:
    ```python
    import keras
    from keras_simmim.heads.position_head import PositionHead

    PositionHead(49)(keras.random.normal((8, 12, 64))).shape   # (8, 12, 49)
    ```
    """

    def __init__(self, positions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(positions, int) or positions < 1:
            raise ValueError(f"positions must be a positive integer, got {positions!r}.")
        self.positions = positions

    def build(self, input_shape: Shape) -> None:
        """Create the weights for tokens (B, n, D)."""
        dim = input_shape[-1]
        normal = TruncatedNormal()
        self.stand_in = self.add_weight(shape=(dim,), initializer=normal, name="stand_in")
        self.scores = keras.layers.Dense(self.positions, name="scores", dtype=self.dtype_policy)
        self.scores.build(input_shape)

    def call(self, tokens: Tensor) -> Tensor:
        """Score positions: (B, n, D) → (B, n, N)."""
        return self.scores(tokens)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, n, N)."""
        return (*input_shape[:-1], self.positions)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "positions": self.positions}
