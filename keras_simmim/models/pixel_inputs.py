"""What a model of images does with its inputs: pixels of 0–255 are checked and normalized."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.data import arguments as checks
from keras_simmim.data.pipeline.origin import origin
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
        value_range: values of the files that became 0 and 255 (low, high); None where pixels are
            0–255 from the outset. It is what a served model, which gets the files' values, needs.
        channel_names: one for each channel, or None.

    Raises:
        ValueError: for a mean or std that does not fit the channels, as many names as there are no
            channels, or a tokenizer.
    """

    # Of the symbolic inputs of functional models.
    name = "images"
    dtype = "float32"
    # Of a served model, those that take arrays where the others take files.
    array_signatures = ("images",)

    def __init__(
        self,
        backbone: Backbone,
        mean: Any,
        std: Any,
        tokenizer: Any,
        value_range: tuple[float, float] | None = None,
        channel_names: Sequence[str] | None = None,
    ) -> None:
        if tokenizer is not None:
            raise ValueError(f"tokenizer must be None for images, got {tokenizer!r}.")
        channels = backbone.image_shape[-1]
        self.image_shape = backbone.image_shape
        self.mean = per_channel("mean", mean, IMAGENET_MEAN, channels)
        self.std = per_channel("std", std, IMAGENET_STD, channels)
        self.tokenizer = None
        self.value_range = None if value_range is None else checks.as_value_range(value_range)
        self.channel_names: list[str] | None = None
        if channel_names is not None:
            self.take_names(channel_names)
        self.layer = Normalize(backbone.image_shape, self.mean, self.std, name="normalize")

    @property
    def config(self) -> Config:
        """Give the constructor's arguments of the model that say how inputs are taken."""
        return {
            "mean": self.mean,
            "std": self.std,
            "value_range": self.value_range,
            "channel_names": self.channel_names,
        }

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
        """Take the range and the names of a data set, or warn of pixels that are not 0–255.

        Raises:
            ValueError: for a data set of another number of channels.
        """
        found, names = origin(data, "value_range"), origin(data, "channel_names")
        if found is None:
            warn_of_small_pixels(data)
        elif self.value_range is None:
            self.value_range = checks.as_value_range(found)
        if names is not None and self.channel_names is None:
            self.take_names(names)

    def take_names(self, names: Sequence[str]) -> None:
        """Keep the names of the channels.

        Raises:
            ValueError: for another number of names.
        """
        channels = self.image_shape[-1]
        names = checks.as_names("channel_names", names)
        if len(names) != channels:
            raise ValueError(
                f"channel_names must be {channels}, one for each channel, got {names}."
            )
        self.channel_names = names

    def check_origin(self, data: Any, name: str) -> None:
        """Raise ValueError for a data set of another range or of other channels than the model's.

        Args:
            data: anything.
            name: of the argument, for the error.
        """
        found = origin(data, "value_range")
        if None not in (found, self.value_range) and tuple(found) != self.value_range:
            raise ValueError(
                f"{name} has value_range={tuple(found)}, but the model learned from "
                f"value_range={self.value_range}: read both with the same, or make the model with "
                "value_range=None to begin anew."
            )
        names = origin(data, "channel_names")
        known = [each for each in (names, self.channel_names) if each and not _are_numbers(each)]
        if len(known) == 2 and list(names) != self.channel_names:
            raise ValueError(
                f"{name} has channel_names={list(names)}, but the model's are "
                f"{self.channel_names}: choose them by channels={tuple(self.channel_names or ())}."
            )

    @property
    def served_dtype(self) -> str:
        """Give the type of images that a served model takes: values of files may be any numbers."""
        return "uint8" if self.value_range is None else "float32"

    def from_values(self, images: Tensor) -> Tensor:
        """Return pixels of 0–255, as the model takes them, of the values of files.

        Args:
            images: (B, H, W, C), scaled by `value_range` where there is one, and what lies beyond
                it clipped; NaN becomes 0.
        """
        if self.value_range is None:
            return images
        low, high = self.value_range
        pixels = (ops.cast(images, "float32") - low) * (255.0 / (high - low))
        return ops.clip(ops.nan_to_num(pixels, nan=0.0, posinf=255.0, neginf=0.0), 0.0, 255.0)


def _are_numbers(names: Sequence[str]) -> bool:
    """Tell whether channels have no names but their numbers."""
    return all(name.isdecimal() for name in names)
