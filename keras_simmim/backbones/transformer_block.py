"""One pre-norm transformer block: attention, then a two-layer perceptron."""

from typing import Any

import keras
from keras import ops

from keras_simmim.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class TransformerBlock(keras.layers.Layer):
    """x + attention(norm(x)), then x + mlp(norm(x)), on tokens (B, N, D).

    Matrix products run on tokens flattened to (B·N, D), which XLA on CPUs computes twice as fast
    as the same product with a batch axis.

    Args:
        num_heads: attention heads; must divide D.
        mlp_dim: width of the perceptron's hidden layer.
        epsilon: of the layer norms.
        **kwargs: passed to `keras.layers.Layer`.

    Source: Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021, equations 2 and 3.

    Example:
    ```python
    TransformerBlock(num_heads=4, mlp_dim=512)(keras.random.normal((8, 64, 128))).shape
    ```
    """

    def __init__(self, num_heads: int, mlp_dim: int, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        """Create the weights for tokens of shape (B, N, D)."""
        _, self.tokens, width = input_shape
        if width is None or width % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide the width of the tokens, {width}."
            )
        self.head_dim = width // self.num_heads
        self.attention_norm = self._norm("attention_norm")
        self.query_key_value = self._dense(3 * width, "query_key_value")
        self.attention_output = self._dense(width, "attention_output")
        self.mlp_norm = self._norm("mlp_norm")
        self.mlp_hidden = self._dense(self.mlp_dim, "mlp_hidden")
        self.mlp_output = self._dense(width, "mlp_output")
        for layer in (
            self.attention_norm,
            self.query_key_value,
            self.attention_output,
            self.mlp_norm,
            self.mlp_hidden,
        ):
            layer.build((None, width))
        self.mlp_output.build((None, self.mlp_dim))

    def _norm(self, name: str) -> keras.layers.Layer:
        return keras.layers.LayerNormalization(
            epsilon=self.epsilon, name=name, dtype=self.dtype_policy
        )

    def _dense(self, units: int, name: str) -> keras.layers.Layer:
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        return keras.layers.Dense(
            units, kernel_initializer=initializer, name=name, dtype=self.dtype_policy
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Tokens (B, N, D) to tokens (B, N, D)."""
        tokens = ops.reshape(inputs, (-1, inputs.shape[-1]))
        tokens = tokens + self.attend(self.attention_norm(tokens))
        hidden = ops.gelu(self.mlp_hidden(self.mlp_norm(tokens)), approximate=False)
        tokens = tokens + self.mlp_output(hidden)
        return ops.reshape(tokens, (-1, *inputs.shape[1:]))

    def attend(self, tokens: Tensor) -> Tensor:
        """Self-attention among each image's tokens, (B·N, D) to (B·N, D)."""
        projected = ops.reshape(
            self.query_key_value(tokens), (-1, self.tokens, 3, self.num_heads, self.head_dim)
        )
        if self.compute_dtype == "float16":
            # JAX asks for a float16 product here that CPUs and TPUs do not have.
            projected = ops.cast(projected, "float32")
        attended = ops.dot_product_attention(
            projected[:, :, 0], projected[:, :, 1], projected[:, :, 2]
        )
        return self.attention_output(ops.reshape(attended, (-1, self.num_heads * self.head_dim)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's own shape."""
        return input_shape

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "epsilon": self.epsilon,
        }
