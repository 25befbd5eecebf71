"""Tokens that a network cannot take are refused, with what it takes."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend import kernels
from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class FittingTokens(keras.layers.Layer):
    """Take tokens (B, l) or, with side features, (B, l, 1 + F), l ≤ L: int32, padded to L.

    It is the first layer of models of sequences, as `Normalize` is of models of images.

    Args:
        example_shape: (L,), or (L, 1 + F) with F side features.
        **kwargs: passed to `keras.layers.Layer`.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_simmim.layers.fitting_tokens import FittingTokens

    tokens = FittingTokens((4,))(np.array([[3.0, 5.0]]))
    ops.convert_to_numpy(tokens).tolist()   # [[3, 5, 0, 0]]
    ```
    """

    def __init__(self, example_shape: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.example_shape: Any = tuple(example_shape)
        # Token numbers would lose their last digits in half precision.
        self.autocast = False
        self.built = True

    def call(self, tokens: Tensor) -> Tensor:
        """Return the tokens as int32 (B, L), or (B, L, 1 + F), with 0 behind shorter ones.

        Raises:
            ValueError: for tokens of another shape.
        """
        sizes = tuple(tokens.shape)
        check_token_sizes(sizes, self.example_shape)
        tokens = ops.cast(tokens, "int32")
        if sizes[1] is None:
            tokens = kernels.with_shape(tokens, (sizes[0], *self.example_shape))
        elif sizes[1] < self.example_shape[0]:
            missing = self.example_shape[0] - sizes[1]
            tokens = ops.pad(tokens, [(0, 0), (0, missing), *[(0, 0)] * (len(sizes) - 2)])
        return tokens

    def compute_output_spec(self, tokens: Any) -> keras.KerasTensor:
        """Return int32 of the network's shape."""
        check_token_sizes(tuple(tokens.shape), self.example_shape)
        return keras.KerasTensor((tokens.shape[0], *self.example_shape), "int32")

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "example_shape": self.example_shape}


def check_token_sizes(sizes: Shape, example_shape: tuple[int, ...]) -> None:
    """Raise ValueError unless a batch of these sizes fits a network; None may be any size.

    Args:
        sizes: of a batch of tokens.
        example_shape: the network's (L,) or (L, 1 + F).
    """
    length, *fields = example_shape
    rank_fits = len(sizes) == len(example_shape) + 1
    if rank_fits and list(sizes[2:]) == fields and (sizes[1] is None or 1 <= sizes[1] <= length):
        return
    wanted = ", ".join(["B", f"1 to {length}", *map(str, fields)])
    advice = "give a batch: of one sequence, tokens[None]"
    if rank_fits:
        advice = f"cut them, or build the network for longer ones: length={sizes[1]}"
    raise ValueError(f"tokens must be integers ({wanted}), got {tuple(sizes)}; {advice}.")


def check_tokens(
    tokens: Any, sizes: tuple[int, ...], example_shape: tuple[int, ...], name: str
) -> None:
    """Raise ValueError for an array that is no tokens of a network.

    Args:
        tokens: array (N, l) or (N, l, 1 + F).
        sizes: how many tokens there are of each field, 0 for padding among them.
        example_shape: the network's (L,) or (L, 1 + F).
        name: of the argument.
    """
    values = np.asarray(tokens)
    if values.dtype.kind in "OUS":
        raise ValueError(
            f"{name} must be tokens, integers from 0 to {sizes[0] - 1}, got {values.dtype}: "
            "strings need a tokenizer, the model's tokenizer=… or that of ks.data.texts."
        )
    if values.dtype.kind not in "iu" and not np.array_equal(values, np.round(values)):
        raise ValueError(f"{name} must be integers, got {values.dtype} with fractions.")
    check_token_sizes(values.shape, example_shape)
    columns = values[..., None] if len(example_shape) == 1 else values
    for field, size in enumerate(sizes):
        column = columns[..., field]
        if column.size and (column.min() < 0 or column.max() >= size):
            which = "" if len(sizes) == 1 else f" of field {field}"
            raise ValueError(
                f"{name}{which} must be from 0, padding, to {size - 1}, got {column.min()} to "
                f"{column.max()}: the vocabulary has {size} tokens with the padding."
            )
    if len(values) and not np.any(columns[..., 0]):
        raise ValueError(f"{name} must have a token in some row, got 0, padding, alone.")
