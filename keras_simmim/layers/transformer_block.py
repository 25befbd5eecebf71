"""Pre-norm transformer block: attention, then a two-layer perceptron."""

import math
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.attention import attention, gelu
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.layers.linear import Linear

BIASES = ("all", "query_value", "none")


@keras.saving.register_keras_serializable("keras_simmim")
class TransformerBlock(keras.layers.Layer):
    """Transform tokens (B, N, D): x + attention(norm(x)), then x + mlp(norm(x)).

    Matrix products run on tokens flattened to (B·N, D), which XLA on CPUs computes twice as fast
    as the same product with a batch axis.

    Args:
        num_heads: attention heads; must divide D.
        mlp_dim: width of the perceptron's hidden layer.
        epsilon: of the layer norms.
        query_key_value_bias: which projections have a bias, "all", "query_value" or "none".
        layer_scale: initial value of a learned factor for every channel of both branches; no
            such factors if None.
        depth: place of the block, from 1, if it starts as the official ViT does: cut off at one
            standard deviation, and the branches' last kernels divided by √(2·depth); None for
            the usual truncated normal distribution.
        **kwargs: passed to `keras.layers.Layer`.

    Source: Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021, equations 2 and 3;
    layer scale: Touvron et al., "Going deeper with image transformers", ICCV 2021, equation 4.

    Example:
    ```python
    import keras
    from keras_simmim.layers.transformer_block import TransformerBlock

    block = TransformerBlock(num_heads=4, mlp_dim=64)
    block(keras.random.normal((8, 6, 16))).shape   # (8, 6, 16)
    ```
    """

    def __init__(
        self,
        num_heads: int,
        mlp_dim: int,
        epsilon: float = 1e-6,
        query_key_value_bias: str = "all",
        layer_scale: float | None = None,
        depth: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if query_key_value_bias not in BIASES:
            raise ValueError(
                f"query_key_value_bias must be one of {BIASES}, got {query_key_value_bias!r}."
            )
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim
        self.epsilon = epsilon
        self.query_key_value_bias = query_key_value_bias
        self.layer_scale = layer_scale
        self.depth = depth

    def build(self, input_shape: Shape) -> None:
        """Create the weights for tokens of shape (B, …, D)."""
        width = input_shape[-1]
        if width is None or width % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide the width of the tokens, {width}."
            )
        self.head_dim = width // self.num_heads
        self.attention_norm = self._norm("attention_norm")
        self.query_key_value = self._dense(
            3 * width, "query_key_value", use_bias=self.query_key_value_bias == "all"
        )
        last = 1 if self.depth is None else 1 / math.sqrt(2 * self.depth)
        self.attention_output = self._dense(width, "attention_output", last)
        self.mlp_norm = self._norm("mlp_norm")
        self.mlp_hidden = self._dense(self.mlp_dim, "mlp_hidden")
        self.mlp_output = self._dense(width, "mlp_output", last)
        for layer in (
            self.attention_norm,
            self.query_key_value,
            self.attention_output,
            self.mlp_norm,
            self.mlp_hidden,
        ):
            layer.build((None, width))
        self.mlp_output.build((None, self.mlp_dim))
        if self.query_key_value_bias == "query_value":
            self.query_bias, self.value_bias = (
                self.add_weight(shape=(width,), initializer="zeros", name=name)
                for name in ("query_bias", "value_bias")
            )
        self.attention_scale = self.mlp_scale = None
        if self.layer_scale is not None:
            initializer = keras.initializers.Constant(self.layer_scale)
            self.attention_scale, self.mlp_scale = (
                self.add_weight(shape=(width,), initializer=initializer, name=name)
                for name in ("attention_scale", "mlp_scale")
            )

    def _norm(self, name: str) -> keras.layers.Layer:
        return LayerNorm(epsilon=self.epsilon, name=name, dtype=self.dtype_policy)

    def _dense(
        self, units: int, name: str, scale: float = 1, use_bias: bool = True
    ) -> keras.layers.Layer:
        return Linear(
            units,
            use_bias=use_bias,
            kernel_initializer=TruncatedNormal(0.02 * scale, cutoff=2 if self.depth is None else 1),
            name=name,
            dtype=self.dtype_policy,
        )

    def call(
        self, inputs: Tensor, bias: Tensor | None = None, factors: Tensor | None = None
    ) -> Tensor:
        """Transform the tokens of a batch.

        Args:
            inputs: tokens (B, N, D).
            bias: added to the attention scores, (1, heads, N, N).
            factors: of the two branches for each image, (2, B), as `StochasticDepth` draws them.

        Returns:
            Tokens (B, N, D).
        """
        tokens = ops.reshape(inputs, (-1, inputs.shape[-1]))
        attended = self.attend(self.attention_norm(tokens), inputs.shape[1:], bias)
        tokens = tokens + self._branch(attended, self.attention_scale, factors, 0, inputs.shape)
        hidden = gelu(self.mlp_hidden(self.mlp_norm(tokens)))
        mixed = self.mlp_output(hidden)
        tokens = tokens + self._branch(mixed, self.mlp_scale, factors, 1, inputs.shape)
        return ops.reshape(tokens, (-1, *inputs.shape[1:]))

    def _branch(
        self, tokens: Tensor, scale: Any, factors: Tensor | None, index: int, shape: Shape
    ) -> Tensor:
        """Scale a branch's output (B·N, D) by its layer scale and its factor for each image."""
        if scale is not None:
            tokens = tokens * scale
        if factors is None:
            return tokens
        per_image = ops.reshape(tokens, (-1, math.prod(shape[1:])))
        factor = ops.cast(factors[index], tokens.dtype)
        return ops.reshape(per_image * ops.expand_dims(factor, -1), (-1, shape[-1]))

    def project(self, tokens: Tensor) -> Tensor:
        """Project tokens (rows, D) to queries, keys and values: (rows, 3·D)."""
        projected = self.query_key_value(tokens)
        if self.query_key_value_bias == "query_value":
            query_bias = ops.convert_to_tensor(self.query_bias)
            bias = ops.concatenate(
                [query_bias, ops.zeros_like(query_bias), ops.convert_to_tensor(self.value_bias)]
            )
            projected = projected + ops.cast(bias, projected.dtype)
        if self.compute_dtype == "float16":
            # JAX asks for a float16 product in attention that CPUs and TPUs do not have.
            projected = ops.cast(projected, "float32")
        return projected

    def attend(self, tokens: Tensor, shape: Shape, bias: Tensor | None) -> Tensor:
        """Attend among each image's tokens: (B·N, D) to (B·N, D), `shape` is (N, D)."""
        projected = ops.reshape(
            self.project(tokens), (-1, shape[0], 3, self.num_heads, self.head_dim)
        )
        # Slices would each have a gradient as large as the whole.
        query, key, value = ops.unstack(ops.transpose(projected, (2, 0, 3, 1, 4)), 3)
        bias = None if bias is None else ops.cast(bias, projected.dtype)
        attended = ops.transpose(attention(query, key, value, bias), (0, 2, 1, 3))
        return self.attention_output(ops.reshape(attended, (-1, self.num_heads * self.head_dim)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's own shape."""
        return input_shape

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "epsilon": self.epsilon,
            "query_key_value_bias": self.query_key_value_bias,
            "layer_scale": self.layer_scale,
            "depth": self.depth,
        }
