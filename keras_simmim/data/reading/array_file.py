"""NumPy's files of arrays, (height, width) or (height, width, channels)."""

import zipfile
from typing import IO

import numpy as np
from numpy.lib import format as npy

from keras_simmim.data.reading.picture import GRAY, Picture, limits_of
from keras_simmim.data.reading.stated_size import check_stated_size

NAMES = ("image", "arr_0")  # in an .npz of several arrays


def read_npy(file: IO[bytes], max_pixels: int) -> Picture:
    """Read an array.

    Args:
        file: the file, open.
        max_pixels: most pixels that it may state.

    Raises:
        ValueError: if it cannot be read, or holds objects.
    """
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"is of the unknown version {version}")
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = header(file)
    if len(shape) not in (2, 3):
        raise ValueError(
            f"holds an array of the shape {shape}, and neither (height, width) nor (height, width, "
            "channels)"
        )
    height, width, channels = (*shape, 1)[:3]
    check_stated_size(height, width, channels, dtype, max_pixels)
    size = height * width * channels * dtype.itemsize
    content = file.read(size)
    if len(content) < size:
        raise ValueError(f"ends after {len(content)} of {size} bytes")
    pixels = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    pixels = pixels.reshape(height, width, channels).astype(dtype.newbyteorder("="))
    if dtype.kind == "b":
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    return Picture(
        pixels,
        GRAY if channels == 1 else None,
        limits_of(pixels.dtype),
        is_display=dtype.kind == "b",
    )


def read_npz(file: IO[bytes], max_pixels: int) -> Picture:
    """Read the one array of an archive, or the one that is called "image" or "arr_0".

    Args:
        file: the file, open.
        max_pixels: most pixels that the array may state.

    Raises:
        ValueError: if it cannot be read, or there are others.
    """
    with zipfile.ZipFile(file) as archive:
        arrays = {name.removesuffix(".npy"): name for name in archive.namelist()}
        known = [name for name in NAMES if name in arrays]
        if len(arrays) != 1 and not known:
            raise ValueError(f"holds {len(arrays)} arrays, and none called 'image'")
        with archive.open(arrays[known[0]] if known else next(iter(arrays.values()))) as content:
            return read_npy(content, max_pixels)
