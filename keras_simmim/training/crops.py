"""Several random crops of each image, and what becomes of their colors and their sharpness."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.data import arguments
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.training.color_jitter import jitter_colors, to_gray
from keras_simmim.training.gaussian_blur import gaussian_blur
from keras_simmim.training.random_boxes import BOX_DRAWS, random_boxes
from keras_simmim.training.resampling import resample

# Keeps these draws apart from others that hash the same words.
_SALT = 0x43726F70
# Behind those of the box: whether a crop is mirrored, gray, blurred, and how much.
_DRAWS = BOX_DRAWS + 4
# Standard deviations of the blur, in pixels of images whose shorter side is the last number.
_SHARPEST, _MOST_BLURRED, _SIDE = 0.1, 2.0, 224


@keras.saving.register_keras_serializable("keras_simmim")
class Crops(keras.layers.Layer):
    """Cut random crops out of each image, and change the colors and the sharpness of each.

    Done are, in this order: crop and resize, mirror, color jitter, gray, blur. All draws are
    functions of (seed, step, number of the image, number of the crop), the same on every backend.
    Images that come as crops, as `ks.data` gives them with `crops=2`, are not cropped again.

    Args:
        count: crops of each image.
        scale: bounds of a crop's share of the image's area.
        ratio: bounds of a crop's width divided by its height.
        flip: whether half of the crops are mirrored left to right.
        color_jitter: largest distance from 1 of the factors of brightness, contrast and
            saturation, 0–1; 0 for none. For images of one or three channels. See `jitter_colors`.
        gray: probability that a crop loses its colors, 0–1. For images of three channels.
        blur: probability that a crop is blurred, 0–1, by a Gaussian whose standard deviation is
            uniform within 0.1–2 pixels where the crop's shorter side has 224, and in proportion.
        seed: 0 ≤ seed < 2³¹.
        image_size: side or (height, width) of the crops, in pixels; None: as the images'.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range.
        TypeError: for arguments of another type.

    Source: Chen et al., "A simple framework for contrastive learning of visual representations"
    (SimCLR), ICML 2020, for colors and blur; `RandomResizedCrop` of torchvision for the crop.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 48, 3), dtype="uint8")
    crops = ks.training.Crops(count=2, image_size=16, color_jitter=0.4, gray=0.2, blur=0.5)
    crops(images, step=5).shape   # (8, 2, 16, 16, 3)
    ```
    """

    def __init__(
        self,
        count: int = 2,
        scale: tuple[float, float] = (0.67, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip: bool = True,
        color_jitter: float = 0.0,
        gray: float = 0.0,
        blur: float = 0.0,
        seed: int = 0,
        image_size: int | tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        # Pixels of 0–255 stay float32 under any precision policy.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.count = arguments.as_integer("count", count, minimum=1)
        self.scale = arguments.as_interval("scale", scale, maximum=1.0)
        self.ratio = arguments.as_interval("ratio", ratio)
        self.flip = arguments.as_flag("flip", flip)
        for name, value in (("color_jitter", color_jitter), ("gray", gray), ("blur", blur)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {value!r}.")
        self.color_jitter, self.gray, self.blur = float(color_jitter), float(gray), float(blur)
        self.seed = arguments.as_integer("seed", seed)
        if not 0 <= seed < 1 << 31:
            raise ValueError(f"seed must be an integer with 0 <= seed < 2**31, got {seed!r}.")
        self.image_size = (
            None if image_size is None else arguments.as_size("image_size", image_size)
        )
        self.built = True

    def call(self, images: Tensor, step: Tensor | int) -> Tensor:
        """Crop a batch of images, or change crops that were made before.

        Args:
            images: (B, H, W, C), or crops (B, count, h, w, C); uint8 or float, 0–255.
            step: int32 scalar that everything is drawn from, with the seed.

        Returns:
            float32 (B, count, h, w, C), 0–255.

        Raises:
            ValueError: for images of another shape, or with too few or many channels for
                `color_jitter` or `gray`.
        """
        shape = self.compute_output_shape(images.shape)
        images = ops.cast(images, "float32")
        drawn = random_uniform(self.seed ^ _SALT, step, ops.shape(images)[0] * self.count, _DRAWS)
        if len(images.shape) == 4:
            images = self._cropped(images, drawn)
        # From here on, each crop is an image of its own.
        crops = self._changed(ops.reshape(images, (-1, *shape[2:])), drawn, step)
        return ops.reshape(ops.clip(crops, 0.0, 255.0), (-1, *shape[1:]))

    def _cropped(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Return the crops (B, count, h, w, C) of images (B, H, W, C) that were drawn."""
        height, width = images.shape[1:3]
        boxes = random_boxes(drawn[:, :BOX_DRAWS], (height, width), self.scale, self.ratio)
        mirrored = drawn[:, BOX_DRAWS] < (0.5 if self.flip else 0.0)
        return resample(
            images,
            ops.reshape(boxes, (-1, self.count, 4)),
            ops.reshape(mirrored, (-1, self.count)),
            self.image_size or (height, width),
        )

    def _changed(self, crops: Tensor, drawn: Tensor, step: Tensor | int) -> Tensor:
        """Return crops (B·count, h, w, C) with the colors and the sharpness that were drawn."""
        turns_gray, blurs, blurredness = (
            ops.reshape(drawn[:, BOX_DRAWS + number], (-1, 1, 1, 1)) for number in (1, 2, 3)
        )
        if self.color_jitter:
            crops = jitter_colors(crops, self.color_jitter, self.seed, step)
        if self.gray:
            if crops.shape[-1] != 3:
                raise ValueError(f"gray needs images of 3 channels, got {crops.shape[-1]}.")
            crops = ops.where(turns_gray < self.gray, to_gray(crops), crops)
        if self.blur:
            pixel = min(crops.shape[1:3]) / _SIDE
            sigmas = pixel * (_SHARPEST + (_MOST_BLURRED - _SHARPEST) * blurredness)
            blurred = gaussian_blur(crops, sigmas, pixel * _MOST_BLURRED)
            crops = ops.where(blurs < self.blur, blurred, crops)
        return crops

    def compute_output_shape(self, images_shape: Shape, **_: Any) -> Shape:
        """Return the shape of the crops of images of a shape.

        Raises:
            ValueError: for images of another shape than `call` takes.
        """
        shape = tuple(images_shape)
        if len(shape) == 4:
            size = self.image_size or shape[1:3]
            return (shape[0], self.count, *size, shape[3])
        if len(shape) != 5 or shape[1] != self.count:
            raise ValueError(
                f"images must be (B, H, W, C), or crops (B, {self.count}, H, W, C) for "
                f"count={self.count}, got {shape}."
            )
        if self.image_size not in (None, shape[2:4]):
            raise ValueError(
                f"images that are crops already must have image_size={self.image_size}, "
                f"got {shape}."
            )
        return shape

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "count": self.count,
            "scale": self.scale,
            "ratio": self.ratio,
            "flip": self.flip,
            "color_jitter": self.color_jitter,
            "gray": self.gray,
            "blur": self.blur,
            "seed": self.seed,
            "image_size": self.image_size,
        }
