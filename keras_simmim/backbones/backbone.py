"""The contract of every backbone: a stem, an encoder, and a place between them for the mask."""

from typing import Any

import keras

from keras_simmim.types import Config, Shape, Tensor


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

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, h', w', c')."""
        return (input_shape[0], *self.feature_shape)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype_policy, "image_shape": self.image_shape}


def check_image_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape as a tuple, or raise ValueError unless it is three positive integers."""
    shape = tuple(image_shape)
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(
            "image_shape must be (height, width, channels), positive integers, "
            f"got {image_shape!r}."
        )
    return shape
