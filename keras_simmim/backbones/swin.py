"""The Swin transformer, version 1: a patch embedding, then stages that halve the map."""

from typing import Any

import keras

from keras_simmim.backbones.backbone import Backbone
from keras_simmim.backbones.sizes import check_image_shape, check_sizes
from keras_simmim.backbones.swin_encoder import SwinEncoder
from keras_simmim.backend.types import Config
from keras_simmim.layers.layer_norm import LayerNorm


@keras.saving.register_keras_serializable("keras_simmim")
class Swin(Backbone):
    """Embed patches and transform them within windows, in stages that halve the map (version 1).

    Args:
        image_shape: (H, W, C) of the images, in pixels; `patch_size` must divide H and W.
        patch_size: side of a patch, in pixels.
        hidden_dim: width D of the first stage's tokens; each further stage doubles it.
        depths: number of blocks of each stage.
        num_heads: attention heads of each stage; must divide its width.
        window_size: side of the windows, in positions. A stage whose map is no larger has one
            window of its smaller side, and no shifts.
        mlp_ratio: width of the blocks' perceptrons, in widths of their tokens.
        epsilon: of the layer norms.
        position_embedding: whether to add a learned vector to each patch.
        query_key_value_bias: which projections have a bias, "all", "query_value" or "none".
        drop_path_rate: probability that an image skips a branch of the last block in training;
            it rises from 0 in the first.
        seed: of the stochastic depth.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for sizes that do not divide, are not positive integers, or do not agree, and
            a window larger than the first stage's map.

    Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
    ICCV 2021. Weights start as in the official code.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    sizes = {"hidden_dim": 16, "depths": (1, 2), "num_heads": (1, 2), "window_size": 4}
    backbone = ks.backbones.Swin((64, 96, 3), **sizes)
    backbone(keras.random.normal((2, 64, 96, 3))).shape   # (2, 8, 12, 32)
    ```
    """

    fine_tuning_recipe = "simmim_swin_base_800ep_224"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        patch_size: int = 4,
        hidden_dim: int = 96,
        depths: tuple[int, ...] = (2, 2, 6, 2),
        num_heads: tuple[int, ...] = (3, 6, 12, 24),
        window_size: int = 7,
        mlp_ratio: float = 4.0,
        epsilon: float = 1e-5,
        position_embedding: bool = False,
        query_key_value_bias: str = "all",
        drop_path_rate: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        depths, num_heads = tuple(depths), tuple(num_heads)
        check_sizes(patch_size=patch_size, hidden_dim=hidden_dim, window_size=window_size)
        for count in depths:
            check_sizes(depths=count)
        if not depths or len(depths) != len(num_heads):
            raise ValueError(
                f"num_heads={num_heads} must have one entry for each stage of depths={depths}."
            )
        for stage, heads in enumerate(num_heads):
            check_sizes(num_heads=heads)
            if (hidden_dim * 2**stage) % heads:
                raise ValueError(
                    f"num_heads={num_heads} must divide the widths of the stages, "
                    f"hidden_dim={hidden_dim} doubled at each; {heads} does not divide "
                    f"{hidden_dim * 2**stage}."
                )
        height, width, channels = check_image_shape(image_shape)
        if height % patch_size or width % patch_size:
            raise ValueError(
                f"patch_size={patch_size} must divide the height and width of "
                f"image_shape={tuple(image_shape)}."
            )
        grid = (height // patch_size, width // patch_size)
        if window_size > min(grid):
            raise ValueError(
                f"window_size={window_size} does not fit into the first stage's "
                f"{grid[0]}×{grid[1]} positions: image_shape={tuple(image_shape)} by "
                f"patch_size={patch_size}."
            )
        dtype = kwargs.get("dtype")
        # torch's default for convolutions, which the official code leaves as it is.
        limit = (patch_size**2 * channels) ** -0.5
        uniform = [keras.initializers.RandomUniform(-limit, limit) for _ in range(2)]
        stem = keras.Sequential(
            [
                keras.layers.Conv2D(
                    hidden_dim,
                    patch_size,
                    strides=patch_size,
                    data_format="channels_last",
                    kernel_initializer=uniform[0],
                    bias_initializer=uniform[1],
                    name="patch_embedding",
                    dtype=dtype,
                ),
                LayerNorm(epsilon=epsilon, name="norm", dtype=dtype),
            ],
            name="stem",
        )
        options: Config = {
            "depths": depths,
            "num_heads": num_heads,
            "window_size": window_size,
            "mlp_ratio": mlp_ratio,
            "epsilon": epsilon,
            "position_embedding": position_embedding,
            "query_key_value_bias": query_key_value_bias,
            "drop_path_rate": drop_path_rate,
            "seed": seed,
        }
        encoder = SwinEncoder(**options, name="encoder", dtype=dtype)
        super().__init__(image_shape, stem, encoder, **kwargs)
        self.options = {**options, "patch_size": patch_size, "hidden_dim": hidden_dim}

    @property
    def stages(self) -> list[tuple[int, int]]:
        """List (stride in pixels, channels) of the feature map of each stage, finest first."""
        patch_size, dim = self.options["patch_size"], self.options["hidden_dim"]
        stages = range(len(self.options["depths"]))
        return [(patch_size * 2**stage, dim * 2**stage) for stage in stages]

    def weights_by_depth(self) -> list[list[keras.Variable]]:
        """List the weights of the stem, with positions, and then those of each block.

        A patch merging belongs to the block before it.
        """
        positions = self.encoder.position_embedding
        stem = [*self.stem.weights, *([] if positions is None else [positions])]
        return [stem, *self.encoder.weights_by_block()]

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), **self.options}
