"""Features to scores of tokens, by the tables that the tokens came in by."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.heads.head import Head
from keras_simmim.layers.attention import gelu
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.layers.linear import Linear


@keras.saving.register_keras_serializable("keras_simmim")
class TokenHead(Head):
    """Score every token of a vocabulary: a linear layer, GELU, a norm, and products with the table.

    The table is the backbone's own (tied weights), so that the head has a bias for each token and
    little more. Every field of tokens, such as an item's category, has a head of its own.

    Args:
        **kwargs: passed to `keras.layers.Layer`.

    Source: Devlin et al., "BERT", NAACL 2019; Press and Wolf, "Using the output embedding to
    improve language models", EACL 2017.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    head = ks.heads.TokenHead()
    head.build_for((None, 8, 16), target_shape=(100,))
    head(keras.random.normal((2, 8, 16)), [keras.random.normal((100, 16))]).shape   # (2, 8, 100)
    ```
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("image_shape", None)
        super().__init__(**kwargs)

    def build(self, input_shape: Shape) -> None:
        """Create the weights for features (B, L, D) and a vocabulary for each field."""
        width, dtype = input_shape[-1], self.dtype_policy
        self.denses, self.norms, self.biases = [], [], []
        for field, size in enumerate(self.target_shape):
            suffix = f"_{field}" if field else ""
            dense = Linear(
                width,
                kernel_initializer=TruncatedNormal(),
                name=f"dense{suffix}",
                dtype=dtype,
            )
            norm = LayerNorm(epsilon=1e-6, name=f"norm{suffix}", dtype=dtype)
            for layer in (dense, norm):
                layer.build((None, width))
            self.denses.append(dense)
            self.norms.append(norm)
            bias = self.add_weight(shape=(size,), initializer="zeros", name=f"bias{suffix}")
            self.biases.append(bias)

    def hidden(self, features: Tensor, field: int = 0) -> Tensor:
        """Give what is multiplied with a field's table: (…, D), of features (…, D)."""
        rows = ops.reshape(features, (-1, features.shape[-1]))
        rows = self.norms[field](gelu(self.denses[field](rows)))
        return ops.reshape(rows, (-1, *features.shape[1:]))

    def call(self, features: Tensor, tables: Sequence[Any], field: int = 0) -> Tensor:
        """Score the tokens of a field.

        Args:
            features: (B, L, D) or (B, D).
            tables: of the backbone, (V, D) for each field.
            field: whose tokens.

        Returns:
            float32 (B, L, V) or (B, V), before the softmax.
        """
        hidden = self.hidden(features, field)
        table = ops.cast(tables[field], hidden.dtype)
        scores = ops.matmul(hidden, ops.transpose(table))
        return ops.cast(scores, "float32") + ops.cast(self.biases[field], "float32")

    def scores_of(
        self, features: Tensor, tables: Sequence[Any], field: int, own: Tensor, others: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score a token of each position's own, and the same others for all.

        Args:
            features: (B, L, D).
            tables: as for a call.
            field: as for a call.
            own: int32 (B, L).
            others: int32 (S,).

        Returns:
            float32 (B, L) and (B, L, S): of a large vocabulary, no more is held in memory.
        """
        hidden = self.hidden(features, field)
        table, bias = tables[field], self.biases[field]
        rows = ops.cast(ops.take(table, own, axis=0), hidden.dtype)
        first = ops.cast(ops.sum(rows * hidden, axis=-1), "float32") + ops.take(bias, own, axis=0)
        rows = ops.cast(ops.take(table, others, axis=0), hidden.dtype)
        scores = ops.cast(ops.matmul(hidden, ops.transpose(rows)), "float32")
        return first, scores + ops.take(bias, others, axis=0)

    def compute_output_shape(self, input_shape: Shape, *_: Any, **__: Any) -> Shape:
        """Return (B, L, V) of the first field."""
        return (*input_shape[:-1], self.target_shape[0])

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["image_shape"]
        return config
