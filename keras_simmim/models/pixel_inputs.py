"""What a model of images does with its inputs: pixels of 0–255 are checked and normalized."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config
from keras_simmim.layers.fitting_images import check_sizes
from keras_simmim.models.given_data import as_array, warn_of_small_pixels
from keras_simmim.models.normalization import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Normalize,
    per_channel,
)


class PixelInputs:
    """Take images (B, H, W, C), uint8 or float 0–255, and normalize them.

    Args:
        backbone: whose images they are.
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        tokenizer: None, as images have none.

    Raises:
        ValueError: for a mean or std that does not fit the channels, or a tokenizer.
    """

    # Of the symbolic inputs of functional models.
    name = "images"
    dtype = "float32"
    # Of a served model, those that take arrays where the others take files.
    array_signatures = ("images",)

    def __init__(self, backbone: Backbone, mean: Any, std: Any, tokenizer: Any) -> None:
        if tokenizer is not None:
            raise ValueError(f"tokenizer must be None for images, got {tokenizer!r}.")
        channels = backbone.image_shape[-1]
        self.image_shape = backbone.image_shape
        self.mean = per_channel("mean", mean, IMAGENET_MEAN, channels)
        self.std = per_channel("std", std, IMAGENET_STD, channels)
        self.tokenizer = None
        self.layer = Normalize(backbone.image_shape, self.mean, self.std, name="normalize")

    @property
    def config(self) -> Config:
        """Give the constructor's arguments of the model that say how inputs are taken."""
        return {"mean": self.mean, "std": self.std}

    @property
    def arguments(self) -> Config:
        """Give the same for another model around the same backbone."""
        return self.config

    def without_tokenizer(self) -> AbstractContextManager[None]:
        """Do nothing: images have none."""
        return nullcontext()

    def as_inputs(self, data: Any) -> Any:
        """Return a list of images as an array, and anything else as it is."""
        return as_array(data)

    def check_sizes(self, sizes: tuple[int | None, ...]) -> None:
        """Raise ValueError for a batch of other sizes than the backbone's."""
        check_sizes(sizes, self.image_shape)

    def check(self, data: Any, name: str) -> None:
        """Look at nothing: any numbers may be pixels."""

    def before_fit(self, data: Any) -> None:
        """Warn of pixels that are not 0–255."""
        warn_of_small_pixels(data)
