"""Tokens to vectors: a table for each field."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.initialization import TruncatedNormal


@keras.saving.register_keras_serializable("keras_simmim")
class TokenStem(keras.layers.Layer):
    """Look every token up in a table; those of several fields side by side.

    That they stand apart, and are added only behind the masks, lets a mask hide one and show the
    others.

    Args:
        sizes: how many tokens there are of each field, padding among them.
        hidden_dim: width D of a vector.
        **kwargs: passed to `keras.layers.Layer`.

    Example:
    ```python
    from keras import ops
    from keras_simmim.backbones.token_stem import TokenStem

    TokenStem((10, 4), hidden_dim=8)(ops.ones((2, 5, 2), dtype="int32")).shape   # (2, 5, 16)
    ```
    """

    def __init__(self, sizes: tuple[int, ...], hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = tuple(sizes)
        self.hidden_dim = hidden_dim
        self.autocast = False

    def build(self, input_shape: Shape) -> None:
        """Create a table (size, D) for every field."""
        self.tables = [
            self.add_weight(
                shape=(size, self.hidden_dim),
                initializer=TruncatedNormal(),
                name=f"table_{field}" if field else "table",
            )
            for field, size in enumerate(self.sizes)
        ]

    def call(self, tokens: Tensor) -> Tensor:
        """Turn int32 (B, L), or (B, L, F) of F fields, into (B, L, F·D)."""
        if len(self.sizes) == 1 and len(tokens.shape) == 2:
            tokens = ops.expand_dims(tokens, -1)
        vectors = [
            ops.take(ops.cast(table, self.compute_dtype), tokens[..., field], axis=0)
            for field, table in enumerate(self.tables)
        ]
        return vectors[0] if len(vectors) == 1 else ops.concatenate(vectors, axis=-1)

    def compute_output_spec(self, tokens: Any) -> keras.KerasTensor:
        """Return the shape of the vectors."""
        return keras.KerasTensor(self.compute_output_shape(tokens.shape), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, L, F·D)."""
        return (*input_shape[:2], len(self.sizes) * self.hidden_dim)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "sizes": self.sizes, "hidden_dim": self.hidden_dim}
