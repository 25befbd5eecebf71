"""Files that Pillow reads: AVIF and HEIC, and, channel by channel, JPEG, PNG, GIF, BMP and WebP."""

from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_simmim.data.reading.file_kinds import HEIC, needs
from keras_simmim.data.reading.orientation import turned
from keras_simmim.data.reading.picture import Picture, usual_names
from keras_simmim.data.reading.stated_size import check_stated_size

ORIENTATION = 274
KEPT = {"L", "LA", "RGB", "RGBA"}
CONVERTED = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}


def read_pillow(file: IO[bytes], max_pixels: int) -> Picture:
    """Read the first frame of an image, turned as its EXIF says; XMP is not asked.

    Args:
        file: the file, open.
        max_pixels: most pixels that it may state.

    Raises:
        ValueError: if it cannot be read.
        OSError: likewise.
    """
    try:
        image = Image.open(file)
    except UnidentifiedImageError as error:
        raise ValueError("is no image that Pillow knows") from error
    with image:
        return _picture(image, max_pixels)


def read_heic(file: IO[bytes], max_pixels: int) -> Picture:
    """Read a HEIC, in 8 bits, whose own rotation counts and not that of its EXIF.

    Args:
        file: the file, open.
        max_pixels: most pixels that it may state.

    Raises:
        ImportError: without pillow-heif.
        ValueError: if it cannot be read.
    """
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ImportError(needs(HEIC)) from error
    with HeifImageFile(file) as image:
        return _picture(image, max_pixels)


def _picture(image: Image.Image, max_pixels: int) -> Picture:
    """Return an image that is open, but not decoded."""
    check_stated_size(image.height, image.width, len(image.getbands()), np.dtype("u1"), max_pixels)
    image.load()
    orientation = 1
    if image.info.get("exif"):
        exif = Image.Exif()
        exif.load(image.info["exif"])
        orientation = exif.get(ORIENTATION, 1)
    mode = image.mode
    if mode == "P":
        mode = "RGBA" if "transparency" in image.info else "RGB"
    mode = mode if mode in KEPT else CONVERTED.get(mode, "RGB")
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    names = usual_names(pixels.shape[-1])
    return Picture(turned(pixels, orientation), names, (0.0, 255.0), is_display=True)
