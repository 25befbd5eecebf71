"""The contract of every backbone: a stem, an encoder, and a place between them for the mask."""

from typing import Any

import keras

from keras_simmim.backend.types import Config, Shape, Tensor


class Backbone(keras.Model):
    """A feature extractor in two halves, the stage F.

    `stem` turns images (B, H, W, C) into local features (B, h, w, c); `encoder` turns those into
    features (B, h', w', c') that have looked around. Masks fall between the two, so that nothing
    hidden has leaked into its neighbours before it is hidden. Calling the backbone runs both.
    Backbones take normalised floats and never normalise.

    Args:
        image_shape: (H, W, C) of the images, in pixels.
        stem: layer (B, H, W, C) → (B, h, w, c).
        encoder: layer (B, h, w, c) → (B, h', w', c').
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for an image shape that is not three positive integers.
    """

    built: bool

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        stem: keras.layers.Layer,
        encoder: keras.layers.Layer,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_shape = check_image_shape(image_shape)
        self.stem = stem
        self.encoder = encoder
        self.build((None, *self.image_shape))

    def build(self, input_shape: Shape) -> None:
        """Create all weights; the constructor does this."""
        if self.built:
            return
        self.stem.build(input_shape)
        stem_shape = self.stem.compute_output_shape(input_shape)
        self.encoder.build(stem_shape)
        self.stem_shape: tuple[int, int, int] = tuple(stem_shape[1:])
        self.feature_shape: tuple[int, int, int] = tuple(
            self.encoder.compute_output_shape(stem_shape)[1:]
        )
        self.built = True

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """The feature map (B, h', w', c') of normalised images (B, H, W, C)."""
        return self.encoder(self.stem(images, training=training), training=training)

    def block_outputs(self, images: Tensor, training: bool | None = None) -> list[Tensor]:
        """The feature map after every block, the last one normed where the encoder norms.

        Args:
            images: normalised images (B, H, W, C), or `keras.Input(backbone.image_shape)` for a
                functional model of these outputs.
            training: whether layers behave as in training.

        Returns:
            One map for every block, first to last.

        Raises:
            NotImplementedError: for a backbone that does not consist of blocks.

        Example:
        ```python
        images = keras.Input(backbone.image_shape)
        middle = keras.Model(images, backbone.block_outputs(images)[7])
        ```
        """
        if not hasattr(self.encoder, "strides"):
            raise NotImplementedError(
                f"{type(self).__name__} has no block outputs; ViT and Swin have."
            )
        return self.encoder(
            self.stem(images, training=training), training=training, all_blocks=True
        )

    def pyramid_outputs(self, images: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """The last feature map at each scale, for detectors and segmenters.

        Args:
            images: as for `block_outputs`.
            training: whether layers behave as in training.

        Returns:
            Maps by level: "P2" steps by 2² pixels, "P3" by 2³, … those that exist.

        Raises:
            NotImplementedError: for a backbone that does not consist of blocks, or whose patches
                are not a power of two wide.
        """
        outputs = self.block_outputs(images, training)
        levels = {}
        for output, stride in zip(outputs, self.encoder.strides, strict=True):
            pixels = stride * self.patch_size
            if pixels & (pixels - 1):
                raise NotImplementedError(
                    f"pyramid levels are powers of two, got patch_size={self.patch_size}."
                )
            levels[f"P{pixels.bit_length() - 1}"] = output
        return levels

    @property
    def patch_size(self) -> int:
        """Side of a stem position, in pixels."""
        return self.image_shape[0] // self.stem_shape[0]

    def resize(self, image_shape: tuple[int, int, int], **changes: Any) -> "Backbone":
        """A copy for images of another size: position tables are interpolated, the rest copied.

        Args:
            image_shape: (H, W, C) in pixels; C as it was.
            **changes: constructor arguments to change as well, such as `window_size` of Swin or
                `drop_path_rate`.

        Returns:
            A new backbone.

        Raises:
            ValueError: for another number of channels, or a change that weights do not survive.

        Source: the official code of Xie et al., "SimMIM", CVPR 2022: relative positions move to
        geometrically spaced ones, tables are interpolated by cubic splines.

        Example:
        ```python
        Swin((192, 192, 3), window_size=6).resize((224, 224, 3), window_size=7)
        ```
        """
        from keras_simmim.backbones.resizing import copy_weights

        config = {**self.get_config(), "image_shape": image_shape, **changes}
        resized = type(self).from_config(config)
        copy_weights(self, resized)
        return resized

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, h', w', c')."""
        return (input_shape[0], *self.feature_shape)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype_policy, "image_shape": self.image_shape}


def check_sizes(**sizes: Any) -> None:
    """Raise ValueError unless all are positive integers."""
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a positive integer, got {size!r}.")


def check_image_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape as a tuple, or raise ValueError unless it is three positive integers."""
    shape = tuple(image_shape)
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(
            "image_shape must be (height, width, channels), positive integers, "
            f"got {image_shape!r}."
        )
    return shape
