"""The vision transformer: a patch embedding, then transformer blocks."""

from typing import Any

import keras

from keras_simmim.backbones.backbone import Backbone
from keras_simmim.backbones.conv_stem import ConvStem
from keras_simmim.backbones.sizes import check_image_shape, check_sizes
from keras_simmim.backbones.transformer_encoder import TransformerEncoder
from keras_simmim.backend.types import Config
from keras_simmim.layers.initialization import TruncatedNormal


@keras.saving.register_keras_serializable("keras_simmim")
class ViT(Backbone):
    """Embed patches and transform them; by default with absolute positions and no class token.

    The official SimMIM pretrains `ViT((224, 224, 3), position_embedding=False,
    relative_position_bias="shared", class_token=True, query_key_value_bias="query_value",
    layer_scale=0.1, drop_path_rate=0.1, official_initialization=True)`.

    Args:
        image_shape: (H, W, C) of the images, in pixels; `patch_size` must divide H and W.
        patch_size: side of a patch, in pixels.
        num_layers: number of transformer blocks.
        num_heads: attention heads; must divide `hidden_dim`.
        hidden_dim: width D of the tokens.
        mlp_dim: width of the blocks' perceptrons; 4·hidden_dim if None.
        epsilon: of the layer norms.
        position_embedding: whether to add a learned vector to each position.
        relative_position_bias: "shared" for one table of biases in all blocks, "block" for one a
            block, or None.
        class_token: whether a learned token takes part in the attention. It is not part of the
            features.
        query_key_value_bias: which projections have a bias, "all", "query_value" or "none".
        layer_scale: initial value of learned factors of the branches' channels; none if None.
        drop_path_rate: probability that an image skips a branch of the last block in training;
            it rises from 0 in the first.
        final_norm: whether a layer norm follows the last block.
        official_initialization: whether weights start as in the official SimMIM: a normal
            distribution of 0.02 cut off at ±0.02, the branches' last kernels divided by
            √(2·block).
        seed: of the stochastic depth.
        stem: "patch" for one convolution of a patch's size, or "conv" for a `ConvStem` of small
            ones; `patch_size` is then a power of two. Its source leaves out one block in return.
        fused_blocks: numbers of blocks, from 1 and rising, such as (1, 3), whose projected
            outputs are added to the last one's before the norm, by learned weights; see
            `BlockFusion`. `for_task` leaves them out, as their source does.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for sizes that do not divide or are not positive integers, another stem, or
            fused blocks that do not lie before the last.

    Source: Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021; the options are those
    of the official code of Xie et al., "SimMIM", CVPR 2022.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    backbone = ks.backbones.ViT((32, 32, 3), 8, num_layers=1, num_heads=4, hidden_dim=64)
    backbone(keras.random.normal((2, 32, 32, 3))).shape   # (2, 4, 4, 64)
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
        epsilon: float = 1e-6,
        position_embedding: bool = True,
        relative_position_bias: str | None = None,
        class_token: bool = False,
        query_key_value_bias: str = "all",
        layer_scale: float | None = None,
        drop_path_rate: float = 0.0,
        final_norm: bool = True,
        official_initialization: bool = False,
        seed: int = 0,
        stem: str = "patch",
        fused_blocks: tuple[int, ...] = (),
        **kwargs: Any,
    ) -> None:
        mlp_dim = 4 * hidden_dim if mlp_dim is None else mlp_dim
        check_sizes(
            patch_size=patch_size,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
            mlp_dim=mlp_dim,
        )
        height, width, _ = check_image_shape(image_shape)
        if height % patch_size or width % patch_size:
            raise ValueError(
                f"patch_size={patch_size} must divide the height and width of "
                f"image_shape={tuple(image_shape)}."
            )
        if hidden_dim % num_heads:
            raise ValueError(f"num_heads={num_heads} must divide hidden_dim={hidden_dim}.")
        dtype = kwargs.get("dtype")
        if stem not in ("patch", "conv"):
            raise ValueError(f"stem must be 'patch' or 'conv', got {stem!r}.")
        first: keras.layers.Layer
        if stem == "conv":
            first = ConvStem(patch_size, hidden_dim, epsilon, name="stem", dtype=dtype)
        else:
            first = keras.layers.Conv2D(
                hidden_dim,
                patch_size,
                strides=patch_size,
                data_format="channels_last",
                kernel_initializer=TruncatedNormal(cutoff=1 if official_initialization else 2),
                name="stem",
                dtype=dtype,
            )
        options: Config = {
            "num_layers": num_layers,
            "num_heads": num_heads,
            "mlp_dim": mlp_dim,
            "epsilon": epsilon,
            "position_embedding": position_embedding,
            "relative_position_bias": relative_position_bias,
            "class_token": class_token,
            "query_key_value_bias": query_key_value_bias,
            "layer_scale": layer_scale,
            "drop_path_rate": drop_path_rate,
            "final_norm": final_norm,
            "official_initialization": official_initialization,
            "seed": seed,
            "fused_blocks": tuple(fused_blocks),
        }
        encoder = TransformerEncoder(**options, name="encoder", dtype=dtype)
        super().__init__(image_shape, first, encoder, **kwargs)
        own = {"patch_size": patch_size, "hidden_dim": hidden_dim, "stem": stem}
        self.options = {**options, **own}

    @property
    def masks_inside(self) -> bool:
        """Tell whether the stem can keep what is hidden out of every convolution."""
        return self.options["stem"] == "conv"

    @property
    def masks_stem(self) -> bool:
        """Tell whether the stem looks around, so that masks of its features must act inside it."""
        return self.options["stem"] == "conv"

    @property
    def embeds_positions(self) -> bool:
        """Tell whether a token's position is known from its embedding alone."""
        is_relative = self.options["relative_position_bias"] is not None
        return self.options["position_embedding"] and not is_relative

    @property
    def encodes_subsets(self) -> bool:
        """Tell whether each token knows its position by itself, so that some can be left out."""
        return self.embeds_positions

    def weights_by_depth(self) -> list[list[keras.Variable]]:
        """List the weights of the stem, with tokens and positions, and then those of each block."""
        tokens = (self.encoder.class_token, self.encoder.position_embedding)
        stem = [*self.stem.weights, *(token for token in tokens if token is not None)]
        return [stem, *self.encoder.weights_by_block()]

    def task_changes(self) -> Config:
        """Leave out the last norm and the fusion, and give each block its own table of offsets."""
        changes: Config = {"final_norm": False}
        if self.options["relative_position_bias"] == "shared":
            changes["relative_position_bias"] = "block"
        if self.options["fused_blocks"]:
            changes["fused_blocks"] = ()
        return changes

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), **self.options}
