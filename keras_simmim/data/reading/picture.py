"""What a file of any format holds, as an array."""

from typing import NamedTuple

import numpy as np

GRAY, COLOR, ALPHA = ("gray",), ("red", "green", "blue"), ("alpha",)
INKS = ("cyan", "magenta", "yellow", "black")


class UnfitError(ValueError):
    """Say what to ask for instead, of an intact file that cannot be read as it was asked for."""


class Picture(NamedTuple):
    """Hold the pixels of an intact file, as it is looked at.

    Attributes:
        pixels: integers or floats (height, width, channels), the values of the file.
        names: of the channels, as far as the file or its format has any.
        limits: smallest and largest value that the file could hold; None where there are none, as
            of floats.
        is_display: whether the values are to be looked at, 0 to 255, and measure nothing.
        pages: how many pages or frames the file has.
    """

    pixels: np.ndarray
    names: tuple[str, ...] | None
    limits: tuple[float, float] | None
    is_display: bool = False
    pages: int = 1

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return self.pixels.shape[-1]


def limits_of(dtype: np.dtype, bits: int | None = None) -> tuple[float, float] | None:
    """Return the smallest and the largest value of integers, None for floats.

    Args:
        dtype: NumPy's type.
        bits: how many of its bits are in use; all if None.
    """
    if dtype.kind not in "iu":
        return None
    used = 8 * dtype.itemsize if bits is None else min(bits, 8 * dtype.itemsize)
    if dtype.kind == "u":
        return 0.0, float(2**used - 1)
    return -float(2 ** (used - 1)), float(2 ** (used - 1) - 1)


def usual_names(count: int) -> tuple[str, ...]:
    """Return the names of the channels of an image that is gray or color, with alpha or without."""
    return {1: GRAY, 2: GRAY + ALPHA, 3: COLOR, 4: COLOR + ALPHA}[count]
