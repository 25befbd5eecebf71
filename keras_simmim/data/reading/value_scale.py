"""Values of any range as pixels of 0 to 255."""

import numpy as np

from keras_simmim.data.reading.picture import Picture, UnfitError

# Types that become 8 bits without being asked, as PNGs of 16 bits do.
SCALED = ("u1", "u2")


def scaled(pixels: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Return float32 of 0 to 255, what lies beyond the range clipped, and 0 for NaN.

    Args:
        pixels: integers or floats (height, width, channels).
        value_range: values that become 0 and 255.
    """
    low, high = value_range
    result = np.empty(pixels.shape, np.float32)
    # One channel at a time: doubles of all would take twice the memory.
    for channel in range(pixels.shape[-1]):
        shares = (pixels[..., channel].astype(np.float64) - low) / (high - low)
        result[..., channel] = np.clip(np.nan_to_num(shares, nan=0.0), 0.0, 1.0) * 255.0
    return result


def as_bytes(picture: Picture) -> np.ndarray:
    """Return uint8 pixels of a picture of 8 bits, or of one of 16, scaled by the whole range.

    Raises:
        UnfitError: for other values, which need a range.
    """
    pixels = picture.pixels
    if picture.is_display and pixels.dtype == np.uint8:
        return pixels
    if picture.limits is None or pixels.dtype.str[1:] not in SCALED:
        raise UnfitError(
            f"holds {pixels.dtype} values: give value_range=(low, high), which become 0 and 255, "
            "or value_range='percentiles'"
        )
    if picture.limits == (0.0, 255.0):
        return pixels.astype(np.uint8)
    return (scaled(pixels, picture.limits) + np.float32(0.5)).astype(np.uint8)
