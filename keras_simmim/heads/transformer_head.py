"""Features of visible positions to all pixels: mask tokens and a small transformer."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.heads.head import Head
from keras_simmim.heads.reconstruction_head import ReconstructionHead
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("keras_simmim")
class TransformerHead(Head):
    """Predict the pixels of every position from the features of those that were encoded.

    Features are projected to the head's width, a learned token stands where nothing was encoded,
    positions are added, and after a few transformer blocks come a norm and a
    `ReconstructionHead`. Of complete feature maps it is a deeper head than that.

    Args:
        hidden_dim: width of the head; half the features' if None, rounded to whole heads.
        num_layers: number of transformer blocks.
        num_heads: attention heads; one for every 32 dimensions if None.
        mlp_dim: width of the blocks' perceptrons; 4·hidden_dim if None.
        image_shape: (H, W, C) of the images to predict; if None, `SimMIM` builds it for its own.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for sizes that are not positive integers, or heads that do not divide the width.

    Source: the decoder of He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR
    2022, which has 8 blocks of 512 dimensions.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    head = ks.heads.TransformerHead(hidden_dim=64, image_shape=(96, 96, 3))
    head(keras.random.normal((2, 12, 12, 128))).shape   # (2, 96, 96, 3)
    ```
    """

    fills_in = True

    def __init__(
        self,
        hidden_dim: int | None = None,
        num_layers: int = 2,
        num_heads: int | None = None,
        mlp_dim: int | None = None,
        image_shape: tuple[int, int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(image_shape, **kwargs)
        for name, size in (
            ("hidden_dim", hidden_dim),
            ("num_layers", num_layers),
            ("num_heads", num_heads),
            ("mlp_dim", mlp_dim),
        ):
            if size is not None and (not isinstance(size, int) or size < 1):
                raise ValueError(f"{name} must be a positive integer, got {size!r}.")
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim

    def build(self, input_shape: Shape) -> None:
        """Create the weights for complete feature maps of shape (B, h, w, D)."""
        _, rows, columns, features = input_shape
        self.grid = (rows, columns)
        heads = self.num_heads or max((self.hidden_dim or features // 2) // 32, 1)
        width = self.hidden_dim or max(features // 2 // heads, 1) * heads
        if width % heads:
            raise ValueError(f"num_heads={heads} must divide hidden_dim={width}.")
        normal = TruncatedNormal()
        self.mask_token = self.add_weight(shape=(width,), initializer=normal, name="mask_token")
        self.position_embedding = self.add_weight(
            shape=(rows * columns, width), initializer=normal, name="position_embedding"
        )
        dtype = self.dtype_policy
        self.projection = keras.layers.Dense(width, name="projection", dtype=dtype)
        self.projection.build((None, features))
        self.blocks = [
            TransformerBlock(heads, self.mlp_dim or 4 * width, name=f"block_{index}", dtype=dtype)
            for index in range(self.num_layers)
        ]
        self.norm = LayerNorm(epsilon=1e-6, name="norm", dtype=dtype)
        for block in self.blocks:
            block.build((None, rows * columns, width))
        self.norm.build((None, rows * columns, width))
        self.pixels = ReconstructionHead(self.target_shape, name="pixels", dtype=dtype)
        self.pixels.build((None, rows, columns, width))

    def call(
        self, features: Tensor, places: Tensor | None = None, shown: Tensor | None = None
    ) -> Tensor:
        """Predict all pixels.

        Args:
            features: (B, h, w, D), or (B, n, 1, D) of the positions that were encoded.
            places: int32 (B, h·w), where every position stands among those that were encoded;
                n or more for the others. Needed for n positions.
            shown: (B, h, w), how much of each position of complete maps was seen, 0 for those
                that the token is to stand for; all if None.

        Returns:
            (B, H, W, C).

        Raises:
            ValueError: for complete maps of another size than the head was built for.
        """
        if places is None and tuple(features.shape[1:3]) != self.grid:
            raise ValueError(
                f"features must be (B, {self.grid[0]}, {self.grid[1]}, D), got "
                f"{tuple(features.shape)}."
            )
        tokens = ops.reshape(
            features, (-1, features.shape[1] * features.shape[2], features.shape[3])
        )
        tokens = self.projection(tokens)
        if places is not None:
            hidden = places.shape[1] - tokens.shape[1]
            token = ops.reshape(ops.cast(self.mask_token, tokens.dtype), (1, 1, -1))
            shape = (ops.shape(tokens)[0], hidden, tokens.shape[2])
            tokens = ops.concatenate([tokens, ops.broadcast_to(token, shape)], axis=1)
            tokens = take_rows(tokens, places)
        if shown is not None:
            seen = ops.reshape(shown, (-1, tokens.shape[1], 1)) > 0
            tokens = ops.where(seen, tokens, ops.cast(self.mask_token, tokens.dtype))
        tokens = tokens + ops.cast(self.position_embedding, tokens.dtype)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return self.pixels(ops.reshape(tokens, (-1, *self.grid, tokens.shape[2])))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
        }
