"""TIFF files: any type of numbers, strips or tiles, pages, any number of channels.

Source: TIFF 6.0; BigTIFF; the metadata of OME (ome-xml) and of GDAL (tags 42112 and 42113).
"""

from typing import IO, Any

import numpy as np

from keras_simmim.data.reading.file_kinds import TIFF, needs
from keras_simmim.data.reading.orientation import turned
from keras_simmim.data.reading.picture import ALPHA, COLOR, GRAY, INKS, Picture, limits_of
from keras_simmim.data.reading.stated_size import check_stated_size
from keras_simmim.data.reading.tiff_names import NODATA, tiff_names

ORIENTATION = 274
# What a page itself consists of; all else is pages.
IN_PAGE = "YXS"
# Colors that are read where the compression converts them.
CONVERTED = {"YCBCR", "CIELAB", "ICCLAB", "ITULAB"}


def read_tiff(file: IO[bytes], max_pixels: int, page: int | str) -> Picture:
    """Read a page of a TIFF, or all pages as channels.

    Samples of a pixel and the channel axis of OME and ImageJ are channels; other axes, such as
    depth and time, are pages. What is white at 0 is inverted, palettes become colors. What the file
    says stands for no data becomes NaN, unless it is of 8 bits.

    Args:
        file: the file, open.
        max_pixels: most pixels that it may state.
        page: number of the page, or "all".

    Raises:
        ImportError: without tifffile.
        ValueError: if it cannot be read.
    """
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(needs(TIFF)) from error
    with tifffile.TiffFile(file, _multifile=False) as tiff:
        series, numbers, pages = _chosen(tiff, page)
        first = series.keyframe
        stated = (first.imagelength, first.imagewidth, first.samplesperpixel * len(numbers))
        check_stated_size(*stated, np.dtype(first.dtype or "V1"), max_pixels)
        check_stated_size(
            first.tilelength or 1, first.tilewidth or 1, 1, np.dtype("u1"), max_pixels
        )
        try:
            parts = [_in_order(series.pages[number], first) for number in numbers]
        except ValueError as error:
            if "imagecodecs" in str(error):
                raise ValueError(f"{error}: pip install 'keras-simmim[{TIFF.extra}]'") from error
            raise
        picture = _shown(np.concatenate(parts, axis=-1), first, tiff_names(tiff, series))
        orientation = first.tags.valueof(ORIENTATION, 1)
    return picture._replace(pixels=turned(picture.pixels, orientation), pages=pages)


def _chosen(tiff: Any, page: int | str) -> tuple[Any, list[int], int]:
    """Return a series of like pages, the numbers of those that make up the image, and the count."""
    series = list(tiff.series)
    if not series:
        raise ValueError("holds no image")
    planes = [_planes(each) for each in series]
    if page == "all":
        return series[0], planes[0].ravel().tolist(), len(planes[0])
    total, left = sum(map(len, planes)), int(page)
    for each, numbers in zip(series, planes, strict=True):
        if left < len(numbers):
            return each, numbers[left].tolist(), total
        left -= len(numbers)
    raise ValueError(f"has {total} pages, and page={page} is not among them")


def _planes(series: Any) -> np.ndarray:
    """Return the numbers of the pages that are the channels (C,) of each image (N, C)."""
    axes, sizes = list(series.axes), list(series.shape)
    if "Y" not in axes or "X" not in axes:
        raise ValueError(f"has the axes {series.axes}, and not height and width")
    outer = [place for place, axis in enumerate(axes) if axis not in IN_PAGE]
    numbers = np.arange(int(np.prod([sizes[place] for place in outer])))
    if len(numbers) != len(series.pages):
        raise ValueError(f"has {len(series.pages)} pages, but states {len(numbers)}")
    numbers = numbers.reshape([sizes[place] for place in outer])
    names = [axes[place] for place in outer]
    if "C" in names:
        numbers = np.moveaxis(numbers, names.index("C"), -1)
        return numbers.reshape(-1, numbers.shape[-1])
    return numbers.reshape(-1, 1)


def _in_order(page: Any, first: Any) -> np.ndarray:
    """Return the pixels of a page (height, width, samples), as they are stored."""
    if page is None:
        raise ValueError("lacks a page that it states")
    pixels = page.asarray(maxworkers=1)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    elif first.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.shape[:2] != (first.imagelength, first.imagewidth) or pixels.ndim != 3:
        raise ValueError(f"has pages of the axes {first.axes}, of the shape {pixels.shape}")
    return pixels


def _shown(pixels: np.ndarray, page: Any, names: tuple[str, ...] | None) -> Picture:
    """Return pixels of which 0 is dark, with the names of their channels."""
    kind, count = getattr(page.photometric, "name", ""), pixels.shape[-1]
    if names is None or len(names) != count:
        names = _names(page, count)
    if kind in CONVERTED and getattr(page.compression, "name", "") not in ("JPEG", "OJPEG"):
        raise ValueError(f"has the colors {kind}, which are not read")
    if pixels.dtype.kind == "b":
        pixels = np.where(pixels ^ (kind == "MINISWHITE"), 255, 0).astype(np.uint8)
        return Picture(pixels, names, (0.0, 255.0), is_display=True)
    bits = page.bitspersample
    limits = limits_of(pixels.dtype, bits if isinstance(bits, int) else None)
    if kind == "PALETTE" and count == 1 and page.colormap is not None:
        colors = np.moveaxis(page.colormap, 0, -1)
        colored = (colors[np.minimum(pixels[..., 0], len(colors) - 1)] >> 8).astype(np.uint8)
        return Picture(colored, COLOR, (0.0, 255.0), is_display=True)
    if kind == "MINISWHITE" and pixels.dtype.kind == "u" and limits is not None:
        pixels = (int(limits[1]) - pixels).astype(pixels.dtype)
    nodata = page.tags.valueof(NODATA)
    if nodata is not None and pixels.dtype.itemsize > 1:
        pixels = _without(pixels, nodata)
    return Picture(pixels, names, limits)


def _without(pixels: np.ndarray, nodata: str) -> np.ndarray:
    """Return pixels with NaN for those that GDAL's tag says are none."""
    try:
        value = float(nodata.strip("\0 "))
    except (ValueError, AttributeError):
        return pixels
    is_none = pixels == np.asarray(value).astype(np.float32 if pixels.dtype == "f4" else float)
    if not is_none.any():
        return pixels
    kind = pixels.dtype if pixels.dtype.kind == "f" else np.float64
    return np.where(is_none, np.nan, pixels).astype(kind)


def _names(page: Any, count: int) -> tuple[str, ...] | None:
    """Return the names that the photometric interpretation has for so many channels."""
    kind = getattr(page.photometric, "name", "")
    extra = [getattr(each, "name", "") for each in page.extrasamples or ()]
    names: tuple[str, ...] = GRAY
    if kind in ("RGB", "YCBCR"):
        names = COLOR
    elif kind == "SEPARATED":
        names = INKS
    if extra and extra[0] in ("ASSOCALPHA", "UNASSALPHA"):
        names = names + ALPHA
    return names if len(names) == count else None
