"""Masks that a segmenter cannot learn from are refused before the first step."""

from typing import Any

import numpy as np

from keras_simmim.data.target_values import IGNORED_PIXEL


def check_masks(masks: Any, image_shape: tuple[int, ...], num_classes: int, name: str) -> None:
    """Raise ValueError for masks that are not integers (N, H, W) from 0 to num_classes − 1, or 255.

    Args:
        masks: array of masks.
        image_shape: (H, W, C) of the images.
        num_classes: number of classes.
        name: of the argument, for the error.
    """
    values = np.asarray(masks)
    if values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3 or values.shape[1:] != tuple(image_shape[:2]):
        raise ValueError(
            f"{name} must be integers (N, {image_shape[0]}, {image_shape[1]}), a class for each "
            f"pixel, got {values.dtype} of shape {values.shape}."
        )
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} must be integers, got {values.dtype}.")
    found = np.unique(values)
    wrong = found[((found < 0) | (found >= num_classes)) & (found != IGNORED_PIXEL)]
    if len(wrong):
        raise ValueError(
            f"{name} must be from 0 to {num_classes - 1} with num_classes={num_classes}, or "
            f"{IGNORED_PIXEL} for pixels to ignore, got {wrong[:10].tolist()}."
        )
    if np.all(values == IGNORED_PIXEL):
        raise ValueError(
            f"{name} must have a pixel of a class, got {IGNORED_PIXEL}, ignored, alone."
        )
