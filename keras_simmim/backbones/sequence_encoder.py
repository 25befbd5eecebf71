"""The second half of a transformer of sequences: fields added, positions, then blocks."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.layers.stochastic_depth import StochasticDepth
from keras_simmim.layers.transformer_block import TransformerBlock

# Added to the scores of padding: its weight is 0 to the last bit, in any precision.
_NOTHING = -1e9


@keras.saving.register_keras_serializable("keras_simmim")
class SequenceEncoder(keras.layers.Layer):
    """Add up the fields of tokens, add positions, and run transformer blocks over what is valid.

    Padding is nothing at all: what stands there becomes zero in front of the blocks and behind
    them, and attention leaves it out, so that it changes no other position to the last bit.

    Args:
        num_layers: number of blocks.
        num_heads: attention heads of each block.
        hidden_dim: width D.
        mlp_dim: width of each block's perceptron.
        length: longest sequence L.
        count_from: "start" numbers the valid positions from the first, "end" from the last.
        drop_path_rate: see `StochasticDepth`.
        final_norm: whether a layer norm follows the last block.
        epsilon: of the layer norms.
        seed: of the stochastic depth.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        length: int,
        count_from: str = "start",
        drop_path_rate: float = 0.0,
        final_norm: bool = True,
        epsilon: float = 1e-6,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.options: Config = {
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "mlp_dim": mlp_dim,
            "length": length,
            "count_from": count_from,
            "drop_path_rate": drop_path_rate,
            "final_norm": final_norm,
            "epsilon": epsilon,
            "seed": seed,
        }
        dtype = self.dtype_policy
        self.blocks = [
            TransformerBlock(num_heads, mlp_dim, epsilon, name=f"block_{index}", dtype=dtype)
            for index in range(num_layers)
        ]
        self.stochastic_depth = StochasticDepth(
            drop_path_rate, num_layers, seed, name="stochastic_depth", dtype=dtype
        )
        self.norm: Any = None
        if final_norm:
            self.norm = LayerNorm(epsilon=epsilon, name="norm", dtype=dtype)

    def build(self, input_shape: Shape) -> None:
        """Create positions and blocks for features (B, L, F·D)."""
        length, width = self.options["length"], self.options["hidden_dim"]
        self.position_embedding = self.add_weight(
            shape=(length, width), initializer=TruncatedNormal(), name="position_embedding"
        )
        for layer in (*self.blocks, *([self.norm] if self.norm else [])):
            layer.build((None, length, width))
        self.stochastic_depth.build()

    def weights_by_block(self) -> list[list[keras.Variable]]:
        """List the weights of each block."""
        return [block.weights for block in self.blocks]

    def call(
        self,
        features: Tensor,
        training: bool | None = None,
        all_blocks: bool = False,
        valid: Tensor | None = None,
    ) -> Tensor | list[Tensor]:
        """Encode features.

        Args:
            features: (B, l, F·D), of l ≤ L positions.
            training: whether blocks are skipped at random.
            all_blocks: whether to return what every block gives, the last one normed.
            valid: float (B, l), 1 for a position and 0 for padding; all are valid if None.

        Returns:
            Features (B, l, D), 0 at padding, or a list of them.
        """
        length, width = features.shape[1], self.options["hidden_dim"]
        fields = features.shape[-1] // width
        if valid is None:
            valid = ops.ones_like(features[..., 0])
        valid = ops.cast(valid, "float32")
        # Whatever stands at padding is not even multiplied: it may be no number.
        shown = ops.expand_dims(valid > 0, -1)
        tokens = ops.where(shown, features, ops.zeros_like(features))
        if fields > 1:
            tokens = ops.sum(ops.reshape(tokens, (-1, length, fields, width)), axis=2)
        positions = ops.take(self.position_embedding, self._numbers(valid), axis=0)
        tokens = tokens + ops.cast(positions, tokens.dtype)
        bias = ((1 - valid) * _NOTHING)[:, None, None, :]
        factors = [None] * len(self.blocks)
        if training and self.stochastic_depth.rate > 0:
            drawn = self.stochastic_depth.factors(ops.shape(tokens)[0])
            factors = [drawn[index] for index in range(len(self.blocks))]
        outputs = []
        for block, factor in zip(self.blocks, factors, strict=True):
            tokens = block(tokens, bias=bias, factors=factor)
            outputs.append(tokens)
        if self.norm is not None:
            outputs[-1] = self.norm(outputs[-1])
        outputs = [ops.where(shown, each, ops.zeros_like(each)) for each in outputs]
        return outputs if all_blocks else outputs[-1]

    def _numbers(self, valid: Tensor) -> Tensor:
        """Count off the valid positions of each sequence: int32 (B, l), 0 at padding."""
        flags = ops.cast(valid > 0, "int32")
        numbers = ops.cumsum(flags, axis=1) - 1
        if self.options["count_from"] == "end":
            numbers = ops.sum(flags, axis=1, keepdims=True) - 1 - numbers
        return ops.cast(numbers * flags, "int32")

    def compute_output_shape(self, input_shape: Shape, **_: Any) -> Shape:
        """Return (B, L, D)."""
        return (*input_shape[:2], self.options["hidden_dim"])

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), **self.options}
