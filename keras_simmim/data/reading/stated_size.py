"""The size that a file states, checked before anything is decoded."""

import numpy as np

from keras_simmim.data.reading.formats import TOO_MANY

MOST_BYTES = 2**30  # that small images of many channels may take, whatever `max_pixels` is
BYTES_A_PIXEL = 24  # three doubles
READ = "biuf"  # NumPy's letters for what is read


def check_stated_size(
    height: int, width: int, channels: int, dtype: np.dtype, max_pixels: int
) -> None:
    """Raise ValueError unless an image may be decoded.

    Args:
        height: that is stated.
        width: likewise.
        channels: likewise.
        dtype: of the values.
        max_pixels: most pixels. Each may take 24 bytes; or all together take a GiB at most.
    """
    if height < 1 or width < 1 or channels < 1:
        raise ValueError(f"states {height}×{width} pixels of {channels} channels")
    if dtype.kind not in READ:
        raise ValueError(f"holds {dtype}, and neither integers nor floats")
    if height * width > max_pixels:
        raise ValueError(f"{TOO_MANY}={max_pixels}")
    size = height * width * channels * dtype.itemsize
    if size > max(BYTES_A_PIXEL * max_pixels, MOST_BYTES):
        raise ValueError(
            f"states {size:,} bytes, {channels} channels of {dtype}, where "
            f"max_pixels={max_pixels} allows {BYTES_A_PIXEL} bytes a pixel"
        )
