"""One block of the Swin transformer: attention within windows of the map."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.attention import attention
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.linear import Linear
from keras_simmim.layers.relative_position_bias import RelativePositionBias
from keras_simmim.layers.transformer_block import TransformerBlock

# What the official code adds to the score of two positions that are no neighbors.
_FAR = -100.0


@keras.saving.register_keras_serializable("keras_simmim")
class SwinBlock(TransformerBlock):
    """Transform maps (B, h, w, D) by one block, with attention within windows.

    Where the window does not fit, it shrinks to the map's smaller side and nothing shifts; where
    it does not divide the map, the map is padded with zeros after the norm, at the bottom and on
    the right, and the padding takes part, as in the official detection code.

    Args:
        num_heads: attention heads; must divide D.
        mlp_dim: width of the perceptron's hidden layer.
        window_size: side of the windows, in positions.
        shifted: whether the windows are shifted by half a window.
        epsilon: of the layer norms.
        query_key_value_bias: which projections have a bias, "all", "query_value" or "none".
        **kwargs: passed to `keras.layers.Layer`.

    Source: Liu et al., "Swin Transformer", ICCV 2021, section 3.2.

    Example:
    ```python
    import keras
    from keras_simmim.backbones.swin_block import SwinBlock

    block = SwinBlock(num_heads=4, mlp_dim=512, window_size=7, shifted=True)
    block(keras.random.normal((8, 14, 14, 128))).shape
    ```
    """

    def __init__(
        self,
        num_heads: int,
        mlp_dim: int,
        window_size: int,
        shifted: bool = False,
        epsilon: float = 1e-5,
        query_key_value_bias: str = "all",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_heads=num_heads,
            mlp_dim=mlp_dim,
            epsilon=epsilon,
            query_key_value_bias=query_key_value_bias,
            **kwargs,
        )
        self.window_size = window_size
        self.shifted = shifted

    def build(self, input_shape: Shape) -> None:
        """Create the weights for maps of shape (B, h, w, D)."""
        super().build(input_shape)
        _, height, width, _ = input_shape
        fits = min(height, width) > self.window_size
        self.window = self.window_size if fits else min(height, width)
        self.shift = self.window_size // 2 if fits and self.shifted else 0
        self.padded = tuple(-(-size // self.window) * self.window for size in (height, width))
        self.windows = (self.padded[0] // self.window, self.padded[1] // self.window)
        self.separation = window_separation(self.padded, self.window, self.shift)
        self.relative_position_bias = RelativePositionBias(
            (self.window, self.window),
            self.num_heads,
            initializer=TruncatedNormal(),
            name="relative_position_bias",
            dtype=self.dtype_policy,
        )
        self.relative_position_bias.build()

    def _dense(
        self, units: int, name: str, scale: float = 1, use_bias: bool = True
    ) -> keras.layers.Layer:
        return Linear(
            units,
            use_bias=use_bias,
            kernel_initializer=TruncatedNormal(0.02 * scale, cutoff=100),
            name=name,
            dtype=self.dtype_policy,
        )

    def attend(self, tokens: Tensor, shape: Shape, bias: Tensor | None) -> Tensor:
        """Attend within windows: (B·h·w, D) to (B·h·w, D), where `shape` is (h, w, D).

        The windows of an image count as further heads, so that the biases of shifted windows,
        which differ from each other, broadcast over the batch.
        """
        height, width, dim = shape
        rows, columns = self.windows
        positions, heads = self.window**2, rows * columns * self.num_heads
        maps = ops.reshape(tokens, (-1, height, width, dim))
        if self.padded != (height, width):
            bottom, right = self.padded[0] - height, self.padded[1] - width
            maps = ops.pad(maps, ((0, 0), (0, bottom), (0, right), (0, 0)))
        if self.shift:
            maps = ops.roll(maps, (-self.shift, -self.shift), axis=(1, 2))
        windows = ops.reshape(maps, (-1, rows, self.window, columns, self.window, dim))
        windows = ops.reshape(ops.transpose(windows, (0, 1, 3, 2, 4, 5)), (-1, dim))
        projected = ops.reshape(
            self.project(windows),
            (-1, rows * columns, positions, 3, self.num_heads, self.head_dim),
        )
        projected = ops.transpose(projected, (3, 0, 1, 4, 2, 5))
        projected = ops.reshape(projected, (3, -1, heads, positions, self.head_dim))
        query, key, value = ops.unstack(projected, 3)
        attended = attention(query, key, value, self.scores_bias(projected.dtype))
        attended = ops.reshape(
            attended, (-1, rows * columns, self.num_heads, positions, self.head_dim)
        )
        attended = ops.reshape(ops.transpose(attended, (0, 1, 3, 2, 4)), (-1, dim))
        windows = ops.reshape(
            self.attention_output(attended), (-1, rows, columns, self.window, self.window, dim)
        )
        maps = ops.reshape(ops.transpose(windows, (0, 1, 3, 2, 4, 5)), (-1, *self.padded, dim))
        if self.shift:
            maps = ops.roll(maps, (self.shift, self.shift), axis=(1, 2))
        return ops.reshape(maps[:, :height, :width], (-1, dim))

    def scores_bias(self, dtype: str) -> Tensor:
        """Return what is added to the scores: (1, windows·heads, window², window²)."""
        bias = ops.cast(self.relative_position_bias.bias(), dtype)
        bias = ops.tile(bias, (len(self.separation), 1, 1, 1)) + ops.cast(self.separation, dtype)
        return ops.reshape(bias, (1, -1, *bias.shape[2:]))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["layer_scale"], config["depth"]
        return {**config, "window_size": self.window_size, "shifted": self.shifted}


def window_separation(size: tuple[int, int], window: int, shift: int) -> np.ndarray:
    """Mark pairs in a window that only the shift put there: (windows, 1, window², window²).

    0 for a pair of neighbors, −100 for two that lie at opposite ends of the map.
    """
    regions = []
    for length in size:
        position = np.arange(length)
        regions.append((position >= length - window) * shift + (position >= length - shift))
    height, width = size
    region = regions[0][:, None] * (2 * shift + 2) + regions[1]
    region = region.reshape(height // window, window, width // window, window)
    region = region.transpose(0, 2, 1, 3).reshape(-1, window**2)
    apart = region[:, None, :, None] != region[:, None, None, :]
    return np.where(apart, _FAR, 0.0).astype("float32")
