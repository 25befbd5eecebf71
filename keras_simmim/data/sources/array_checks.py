"""Checks of arrays: each returns the array in the type that the pipeline reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_simmim.data.sources.check_boxes import check_boxes
from keras_simmim.data.targets.boxes import Boxes


def as_pixels(images: Any, value_range: tuple[float, float] | None) -> np.ndarray:
    """Return images as uint8, or as float32 of a range, (count, height, width, channels)."""
    pixels = np.asarray(images)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise ValueError(
            "images must be (count, height, width, channels) or (count, height, width), "
            f"got the shape {np.shape(images)}."
        )
    if pixels.dtype == np.uint8 and value_range is None:
        return pixels
    is_real = np.issubdtype(pixels.dtype, np.integer) or np.issubdtype(pixels.dtype, np.floating)
    if not is_real:
        raise TypeError(f"images must be real numbers, got {pixels.dtype}.")
    low, high = pixels.min(), pixels.max()
    if value_range is None:
        others = "pass value_range=(low, high) for others"
        if not (low >= 0 and high <= 255):
            raise ValueError(
                f"images must be within 0-255, got values from {low} to {high}; {others}."
            )
        if np.issubdtype(pixels.dtype, np.floating) and 0 < high <= 1:
            raise ValueError(
                f"images must be within 0-255, got {pixels.dtype} values up to {high}; {others}."
            )
        return np.rint(pixels).astype(np.uint8)
    if np.isnan(low):
        raise ValueError("images must be numbers, got NaN among them.")
    start, width = value_range[0], value_range[1] - value_range[0]
    scaled = np.empty(pixels.shape, np.float32)
    # One at a time: float64 of all would take twice the memory.
    for image, result in zip(pixels, scaled, strict=True):
        result[:] = np.clip((image.astype(np.float64) - start) / width, 0, 1) * 255
    return scaled


def as_masks(masks: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return masks as uint8 of the shape (count, height, width) that the images have."""
    classes = np.asarray(masks)
    if classes.shape != shape:
        raise ValueError(
            f"masks must be (count, height, width) as the images are, {shape}, got the shape "
            f"{classes.shape}."
        )
    if not np.issubdtype(classes.dtype, np.integer):
        raise TypeError(f"masks must be integers, got {classes.dtype}.")
    if classes.min() < 0 or classes.max() > 255:
        raise ValueError(
            f"masks must be within 0-255, got values from {classes.min()} to {classes.max()}."
        )
    return classes.astype(np.uint8)


def as_boxes(boxes: Any, count: int) -> Boxes:
    """Return the boxes of `count` images, as many of each."""
    if not isinstance(boxes, Mapping) or set(boxes) != {"boxes", "labels"}:
        raise TypeError(f"boxes must be a dictionary of 'boxes' and 'labels', got {boxes!r:.80}.")
    corners, labels = np.asarray(boxes["boxes"]), np.asarray(boxes["labels"])
    if labels.ndim != 2 or len(labels) != count or corners.shape != (*labels.shape, 4):
        raise ValueError(
            f"boxes must be ({count}, M, 4) and their labels ({count}, M), got the shapes "
            f"{corners.shape} and {labels.shape}."
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels of boxes must be integers, got {labels.dtype}.")
    slots = labels.shape[1]
    corners = corners.reshape(-1, 4).astype(np.float32)
    labels = labels.reshape(-1).astype(np.int32)
    check_boxes(corners, labels, lambda place: f"box {place % slots} of image {place // slots}")
    starts = np.arange(count) * slots
    sizes = np.zeros((count, 2), np.int32)
    return Boxes(corners, labels, starts, np.full(count, slots), slots, sizes)
