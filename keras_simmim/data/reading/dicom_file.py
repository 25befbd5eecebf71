"""DICOM files: the values that they measure, or those of the window that they ask for.

Source: DICOM PS3.3, C.7.6.3 (image pixel), C.11.1 (modality), C.11.2 (window).
"""

from typing import IO, Any

import numpy as np

from keras_simmim.data.reading.file_kinds import DICOM, needs
from keras_simmim.data.reading.picture import COLOR, GRAY, Picture, UnfitError, limits_of
from keras_simmim.data.reading.stated_size import check_stated_size

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def read_dicom(file: IO[bytes], max_pixels: int, page: int | str, window: bool) -> Picture:
    """Read a frame of a DICOM, or all gray frames as channels.

    Values are those of the rescale slope and intercept, or of the lookup table that stands for
    them. Those that are white at 0 (MONOCHROME1) are inverted within the bits that are stored,
    before that.

    Args:
        file: the file, open.
        max_pixels: most pixels that it may state.
        page: number of the frame, or "all".
        window: whether to look through the file's first window: 0 to 255.

    Raises:
        ImportError: without pydicom.
        ValueError: if it cannot be read.
    """
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(needs(DICOM)) from error
    from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

    stated = pydicom.dcmread(file, force=True)
    if not any(name in stated for name in PIXELS):
        raise ValueError("is a DICOM without pixels")
    kind, samples = stated.PhotometricInterpretation, int(stated.SamplesPerPixel)
    frames = int(stated.get("NumberOfFrames") or 1)
    if page != "all" and not 0 <= int(page) < frames:
        raise ValueError(f"has {frames} pages, and page={page} is not among them")
    chosen = range(frames) if page == "all" else [int(page)]
    is_color = samples > 1 or kind == "PALETTE COLOR"
    if is_color and len(chosen) > 1:
        raise ValueError("has frames of colors, of which page='all' makes no channels")
    values = np.dtype(f"u{max(1, int(stated.get('BitsAllocated', 64)) // 8)}")
    size = (int(stated.Rows), int(stated.Columns), max(samples, 3 * is_color) * len(chosen))
    check_stated_size(*size, values, max_pixels)
    frame = np.stack([pixel_array(stated, index=number) for number in chosen], axis=-1)
    if is_color:
        frame = frame[..., 0]
        if kind == "PALETTE COLOR":
            frame = apply_color_lut(frame, stated)
            frame = (frame >> 8 if frame.dtype.itemsize > 1 else frame).astype(np.uint8)
        return Picture(frame, COLOR, limits_of(frame.dtype, _bits(stated, frame)), pages=frames)
    limits = limits_of(frame.dtype, _bits(stated, frame))
    inverted = kind == "MONOCHROME1"
    if inverted and not window:
        low, high = limits or (frame.min(), frame.max())
        frame = np.clip(low + high - frame.astype(np.float64), low, high).astype(frame.dtype)
    measured = apply_modality_lut(frame, stated)
    if window:
        measured, limits = _through_window(measured, stated), (0.0, 255.0)
        measured = 255.0 - measured if inverted else measured
    elif _is_rescaled(stated):
        limits = None
    else:
        measured = frame
    names = GRAY if len(chosen) == 1 else None
    return Picture(measured, names, limits, is_display=window, pages=frames)


def _is_rescaled(stated: Any) -> bool:
    """Return whether values are others than those that are stored."""
    slope, intercept = stated.get("RescaleSlope", 1), stated.get("RescaleIntercept", 0)
    return "ModalityLUTSequence" in stated or (slope, intercept) != (1, 0)


def _bits(stated: Any, frame: np.ndarray) -> int | None:
    """Return how many bits of each value are in use, None for all."""
    is_whole = frame.dtype.kind in "iu" and "BitsStored" in stated
    return int(stated.BitsStored) if is_whole else None


def _through_window(values: np.ndarray, stated: Any) -> np.ndarray:
    """Return float64 values of 0 to 255 that a file's first window makes of its values."""
    try:
        center, width = (
            float(np.ravel(np.asarray(stated[name].value, np.float64))[0])
            for name in ("WindowCenter", "WindowWidth")
        )
    except (KeyError, TypeError, ValueError, IndexError):
        raise UnfitError(
            "states no window, as value_range='window' needs it: give value_range=(low, high)"
        ) from None
    kind = str(stated.get("VOILUTFunction") or "LINEAR").upper()
    if width <= 0 or (width < 1 and kind == "LINEAR"):
        raise ValueError(f"states a window of the width {width:g}")
    if kind == "SIGMOID":
        return 255.0 / (1.0 + np.exp(-4.0 * (values - center) / width))
    if kind == "LINEAR":
        center, width = center - 0.5, max(width - 1.0, 1e-9)
    return np.clip((values - center) / width + 0.5, 0.0, 1.0) * 255.0
