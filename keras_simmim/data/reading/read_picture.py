"""Which reader a file is for, told by its first bytes; and every error as one that says why."""

import io
from collections.abc import Callable

import tensorflow as tf

from keras_simmim.data.reading.array_file import read_npy, read_npz
from keras_simmim.data.reading.deep_png import is_deep_png, read_deep_png
from keras_simmim.data.reading.dicom_file import read_dicom
from keras_simmim.data.reading.headers import header, starts_with
from keras_simmim.data.reading.picture import Picture, UnfitError
from keras_simmim.data.reading.pillow_file import read_heic, read_pillow
from keras_simmim.data.reading.plain_reason import plain_reason
from keras_simmim.data.reading.tiff_file import read_tiff

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# As DICOM begins without its preamble: the group of what is identified, or of the file itself.
BARE_DICOM = (b"\x08\0", b"\x02\0")
AVIF = (b"avif", b"avis")
MOST_BRANDS = 64  # bytes of the box that lists what a HEIC or an AVIF is
ENCODED = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF")
MOST_WORDS = 300  # characters of a reason


def read_picture(
    contents: bytes, max_pixels: int, page: int | str = 0, window: bool = False
) -> Picture:
    """Read the bytes of a file of any format that is read.

    Args:
        contents: the bytes.
        max_pixels: most pixels that the file may state.
        page: of a TIFF or a DICOM of several, its number, or "all" for all as channels.
        window: whether a DICOM is looked at through its own window.

    Raises:
        ImportError: without the package that the format needs.
        ValueError: if it cannot be read, with the reason.
    """
    if not contents:
        raise ValueError("the file is empty")
    read = _reader(contents, page, window)
    try:
        picture = read(io.BytesIO(contents), max_pixels)
    except (ImportError, UnfitError):
        raise
    # On damaged files the packages raise errors of dozens of kinds.
    except Exception as error:
        said = getattr(error, "message", None) or str(error) or type(error).__name__
        raise ValueError(plain_reason(said, max_pixels)[:MOST_WORDS]) from error
    if picture.pixels.size == 0:
        raise ValueError("holds no pixels")
    return picture


def is_encoded(contents: tf.Tensor) -> tf.Tensor:
    """Return whether the bytes of a file, a scalar, are those of a format that TensorFlow reads."""
    head = header(contents)
    return tf.reduce_any([starts_with(head, mark) for mark in ENCODED])


def _reader(contents: bytes, page: int | str, window: bool) -> Callable[..., Picture]:
    """Return what reads the bytes of a file."""
    if contents.startswith(TIFF):
        return lambda file, most: read_tiff(file, most, page)
    if contents[128:132] == b"DICM" or contents.startswith(BARE_DICOM):
        return lambda file, most: read_dicom(file, most, page, window)
    if contents.startswith(b"\x93NUMPY"):
        return read_npy
    if contents.startswith(b"PK"):
        return read_npz
    if contents[4:8] == b"ftyp":
        brands = contents[8 : min(MOST_BRANDS, int.from_bytes(contents[:4]))]
        return read_pillow if any(brand in brands for brand in AVIF) else read_heic
    if is_deep_png(contents):
        return lambda _, most: read_deep_png(contents, most)
    if contents.startswith(ENCODED):
        return read_pillow
    raise ValueError("is of no format that is read")
