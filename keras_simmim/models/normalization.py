"""The mean and deviation that pixels are normalized with."""

import numpy as np

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


def per_channel(
    name: str, given: float | tuple[float, ...] | None, imagenet: tuple[float, ...], channels: int
) -> tuple[float, ...]:
    """Return one value for each channel, from one value, one for each, or ImageNet's.

    Args:
        name: "mean" or "std", for the error.
        given: one number, one for each channel, or None for ImageNet's.
        imagenet: ImageNet's three values; their average for other numbers of channels.
        channels: number of channels.

    Returns:
        A tuple of `channels` floats.

    Raises:
        ValueError: for another number of values, or deviations that are not positive.
    """
    if given is None:
        return imagenet if channels == 3 else (sum(imagenet) / 3,) * channels
    values = tuple(float(value) for value in np.atleast_1d(given))
    values = values * channels if len(values) == 1 else values
    if len(values) != channels or (name == "std" and min(values) <= 0):
        positive = "positive " if name == "std" else ""
        raise ValueError(
            f"{name} must be one {positive}number or one for each of {channels} channels, "
            f"got {given!r}."
        )
    return values
