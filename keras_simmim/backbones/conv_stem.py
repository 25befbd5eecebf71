"""A vision transformer's first half made of small convolutions."""

from typing import Any

import keras

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.attention import gelu
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.layers.visible_maps import keep_visible


@keras.saving.register_keras_serializable("keras_simmim")
class ConvStem(keras.layers.Layer):
    """Embed patches by a stack of 3×3 convolutions of step 2, and a 1×1 convolution behind them.

    Each 3×3 convolution halves the map and doubles the channels up to `hidden_dim`, with at least
    8. It is followed by a norm and GELU. The source's norm is a batch norm; this one is a layer
    norm over the channels, at each position by itself, since statistics of the batch would tell
    every position of all others, hidden ones too.

    Neighboring patches overlap in these convolutions. What is hidden has therefore to be hidden
    before them and between them: give `visible`.

    Args:
        patch_size: side of a patch in pixels, a power of two, 2 at least.
        hidden_dim: width D of the embeddings.
        epsilon: of the layer norms.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a `patch_size` that is not a power of two, or a `hidden_dim` below 1.

    Source: Xiao et al., "Early Convolutions Help Transformers See Better", NeurIPS 2021.

    Example:
    ```python
    import keras
    from keras_simmim.backbones.conv_stem import ConvStem

    stem = ConvStem(patch_size=8, hidden_dim=64)
    stem(keras.random.normal((2, 32, 48, 3))).shape   # (2, 4, 6, 64)
    ```
    """

    def __init__(
        self, patch_size: int, hidden_dim: int, epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(patch_size, int) or patch_size < 2 or patch_size & (patch_size - 1):
            raise ValueError(
                "patch_size of a convolutional stem must be a power of two, 2 at least, got "
                f"{patch_size!r}."
            )
        if not isinstance(hidden_dim, int) or hidden_dim < 1:
            raise ValueError(f"hidden_dim must be a positive integer, got {hidden_dim!r}.")
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.epsilon = epsilon
        steps = patch_size.bit_length() - 1
        self.channels = [max(8, -(-hidden_dim // 2**step)) for step in reversed(range(steps))]

    def build(self, input_shape: Shape) -> None:
        """Create the convolutions and norms for images of shape (B, H, W, C)."""
        channels = input_shape[-1]
        self.convolutions, self.norms = [], []
        for index, filters in enumerate(self.channels):
            # He's deviation: half of each input is lost in the activation before.
            convolution = self._convolution(
                filters, 3, 2, (2 / (9 * channels)) ** 0.5, f"convolution_{index}"
            )
            convolution.build((None, None, None, channels))
            norm = LayerNorm(epsilon=self.epsilon, name=f"norm_{index}", dtype=self.dtype_policy)
            norm.build((None, filters))
            self.convolutions.append(convolution)
            self.norms.append(norm)
            channels = filters
        self.projection = self._convolution(self.hidden_dim, 1, 1, channels**-0.5, "projection")
        self.projection.build((None, None, None, channels))

    def _convolution(
        self, filters: int, side: int, step: int, deviation: float, name: str
    ) -> keras.layers.Layer:
        return keras.layers.Conv2D(
            filters,
            side,
            step,
            padding="same",
            data_format="channels_last",
            kernel_initializer=TruncatedNormal(deviation),
            name=name,
            dtype=self.dtype_policy,
        )

    def call(
        self, images: Tensor, visible: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Embed the patches of images.

        Args:
            images: (B, H, W, C), `patch_size` divides H and W.
            visible: float (B, h, w, 1), 1 for a visible block of the image and 0 for a hidden
                one, which then no convolution sees; all is visible if None.
            training: changes nothing.

        Returns:
            Embeddings (B, H / patch_size, W / patch_size, D), zero where hidden.
        """
        maps = images if visible is None else keep_visible(images, visible)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            maps = gelu(norm(convolution(maps)))
            if visible is not None:
                maps = keep_visible(maps, visible)
        maps = self.projection(maps)
        return maps if visible is None else keep_visible(maps, visible)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, H / patch_size, W / patch_size, D)."""
        batch, height, width, _ = input_shape
        # Of unknown sizes the output's are unknown too.
        sides = [side and side // self.patch_size for side in (height, width)]
        return (batch, *sides, self.hidden_dim)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "hidden_dim": self.hidden_dim,
            "epsilon": self.epsilon,
        }
