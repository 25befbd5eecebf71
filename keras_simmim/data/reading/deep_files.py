"""16-bit files whose values fill a small part of their range, and so become dark images."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.reading.formats import DEEP_RANGE
from keras_simmim.data.tables.image_table import ImageTable

LOGGER = logging.getLogger("keras_simmim")
NAMED = 10_000  # files of a data set whose names are looked at
LOOKED_AT = 8  # files of a data set, spread over it
BITS = (8, 10, 12, 14)  # of sensors and of converters
HEADER = 26  # bytes of a PNG up to its number of channels


def warn_of_deep(table: ImageTable, max_pixels: int) -> None:
    """Log that the range of the values of 16-bit PNGs seems to be another, looking at a few.

    Args:
        table: all images of the data set.
        max_pixels: most pixels that a file may have.
    """
    named = _evenly(range(len(table)), NAMED)
    deep = [place for place in named if table.name(place).lower().endswith((".png", ".apng"))]
    largest = {}
    for place in _evenly(deep or named, LOOKED_AT):
        if (value := _largest(table, place, max_pixels)) >= 0:
            largest[table.name(place)] = value
    warn_of_dark(largest)


def _evenly(places: Sequence[int], most: int) -> list[int]:
    """Return so many of the places at most, spread over them."""
    chosen = np.linspace(0, len(places) - 1, min(most, len(places))).astype(int)
    return [places[number] for number in chosen]


def warn_of_dark(largest: Mapping[str, int]) -> None:
    """Log that 16-bit files will be dark, if they seem to hold fewer bits.

    Args:
        largest: values by the names of the files.
    """
    path = max(largest, key=lambda name: largest[name], default="")
    value = largest.get(path, 0)
    if 0 < value < 2 ** BITS[-1]:
        bits = next(bits for bits in BITS if value < 2**bits)
        LOGGER.warning(
            "16-bit images will be dark: of %d looked at the largest value is %d, of %d, in %r. "
            "If they hold %d bits, pass value_range=(0, %d).",
            len(largest),
            value,
            DEEP_RANGE[1],
            path,
            bits,
            2**bits - 1,
        )


def warn_of_shallow(value_range: Any, looked_at: int) -> None:
    """Log that a range was asked for where there is nothing that it is for."""
    LOGGER.warning(
        "value_range=%r is for files of more than 8 bits, and none of the %d files looked at is "
        "one.",
        value_range,
        looked_at,
    )


def _largest(table: ImageTable, place: int, max_pixels: int) -> int:
    """Return the largest value of a 16-bit PNG but for its alpha, and −1 for anything else."""
    with contextlib.suppress(OSError, ValueError, tf.errors.OpError):
        contents = table.read(place)
        head = contents[:HEADER]
        height, width = (int.from_bytes(head[start : start + 4], "big") for start in (16, 20))
        if head[:4] == b"\x89PNG" and head[24:25] == b"\x10" and height * width <= max_pixels:
            values = tf.io.decode_png(contents, dtype=tf.uint16).numpy()
            channels = values.shape[-1]
            return int(values[..., : channels - (channels % 2 == 0)].max())
    return -1
