"""The vision transformer: a patch embedding, then transformer blocks."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backbones.backbone import Backbone, check_image_shape
from keras_simmim.backbones.transformer_block import TransformerBlock
from keras_simmim.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class TransformerEncoder(keras.layers.Layer):
    """Adds positions to patch embeddings (B, h, w, D) and runs transformer blocks over them.

    Positions come after the mask token has taken a patch's place, so that a hidden patch still
    knows where it is.

    Args:
        num_layers: number of blocks.
        num_heads: attention heads of each block.
        mlp_dim: width of each block's perceptron.
        epsilon: of the layer norms.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        mlp_dim: int,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.mlp_dim = mlp_dim
        self.epsilon = epsilon
        self.blocks = [
            TransformerBlock(
                num_heads, mlp_dim, epsilon, name=f"block_{index}", dtype=self.dtype_policy
            )
            for index in range(num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(
            epsilon=epsilon, name="norm", dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape) -> None:
        """Create positions and blocks for patch embeddings of shape (B, h, w, D)."""
        _, height, width, dim = input_shape
        self.position_embedding = self.add_weight(
            shape=(height * width, dim),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="position_embedding",
        )
        for layer in (*self.blocks, self.norm):
            layer.build((None, height * width, dim))

    def call(self, patches: Tensor, training: bool | None = None) -> Tensor:
        """Patch embeddings (B, h, w, D) to features (B, h, w, D)."""
        tokens = ops.reshape(patches, (-1, *self.position_embedding.shape))
        tokens = tokens + self.position_embedding
        for block in self.blocks:
            tokens = block(tokens, training=training)
        return ops.reshape(self.norm(tokens), (-1, *patches.shape[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's own shape."""
        return input_shape

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "mlp_dim": self.mlp_dim,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable("keras_simmim")
class ViT(Backbone):
    """A vision transformer with learned absolute positions and no class token.

    Args:
        image_shape: (H, W, C) of the images, in pixels; `patch_size` must divide H and W.
        patch_size: side of a patch, in pixels.
        num_layers: number of transformer blocks.
        num_heads: attention heads; must divide `hidden_dim`.
        hidden_dim: width D of the tokens.
        mlp_dim: width of the blocks' perceptrons; 4·hidden_dim if None.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for sizes that do not divide or are not positive integers.

    Source: Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021.

    Example:
    ```python
    backbone = ViT((96, 96, 3), patch_size=8, num_layers=4, num_heads=4, hidden_dim=128)
    backbone(keras.random.normal((2, 96, 96, 3))).shape   # (2, 12, 12, 128)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        patch_size: int = 16,
        num_layers: int = 12,
        num_heads: int = 12,
        hidden_dim: int = 768,
        mlp_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        mlp_dim = 4 * hidden_dim if mlp_dim is None else mlp_dim
        sizes = {
            "patch_size": patch_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "mlp_dim": mlp_dim,
        }
        for name, size in sizes.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} must be a positive integer, got {size!r}.")
        height, width, _ = check_image_shape(image_shape)
        if height % patch_size or width % patch_size:
            raise ValueError(
                f"patch_size={patch_size} must divide the height and width of "
                f"image_shape={tuple(image_shape)}."
            )
        if hidden_dim % num_heads:
            raise ValueError(f"num_heads={num_heads} must divide hidden_dim={hidden_dim}.")
        dtype = kwargs.get("dtype")
        stem = keras.layers.Conv2D(
            hidden_dim,
            patch_size,
            strides=patch_size,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="stem",
            dtype=dtype,
        )
        encoder = TransformerEncoder(num_layers, num_heads, mlp_dim, name="encoder", dtype=dtype)
        super().__init__(image_shape, stem, encoder, **kwargs)
        self.sizes = sizes

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), **self.sizes}
