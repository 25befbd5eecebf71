"""Boxes that a detector cannot learn from are refused before the first step."""

from typing import Any

import numpy as np

from keras_simmim.data.target_values import IGNORED_BOX


def check_boxes(
    truth: Any, image_shape: tuple[int, ...], num_classes: int, name: str, whole: bool = False
) -> None:
    """Raise ValueError for boxes or labels that are missing, misshapen or impossible.

    Args:
        truth: {"boxes": (N, M, 4), "labels": (N, M)}.
        image_shape: (H, W, C) of the images.
        num_classes: number of classes.
        name: of the argument, for the error.
        whole: whether these are all boxes that there are, so that one at least must be of a class.
    """
    if not isinstance(truth, dict) or not {"boxes", "labels"} <= set(truth):
        given = sorted(truth) if isinstance(truth, dict) else type(truth).__name__
        raise ValueError(
            f'{name} must be {{"boxes": (N, M, 4), "labels": (N, M)}}, left, top, right and '
            f"bottom in pixels and a class for each, got {given}."
        )
    boxes, labels = np.asarray(truth["boxes"]), np.asarray(truth["labels"])
    if labels.ndim != 2 or boxes.shape != (*labels.shape, 4):
        raise ValueError(
            f"{name} must hold boxes (N, M, 4) and labels (N, M), got {boxes.shape} and "
            f"{labels.shape}. Images of fewer boxes are padded with label -1."
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels of {name} must be integers, got {labels.dtype}.")
    _refuse(
        (labels < IGNORED_BOX) | (labels >= num_classes),
        labels,
        f"labels of {name} must be from 0 to {num_classes - 1} with num_classes={num_classes}, -1 "
        "for padding or -2 for boxes to ignore",
    )
    is_real, boxes = labels != -1, boxes.astype("float64")
    starts, ends = boxes[..., :2], boxes[..., 2:]
    _refuse(
        is_real & ~np.isfinite(boxes).all(axis=-1), boxes, f"boxes of {name} must be finite numbers"
    )
    _refuse(
        is_real & (ends <= starts).any(axis=-1),
        boxes,
        f"boxes of {name} must be (left, top, right, bottom) with left < right and top < bottom",
    )
    height, width = image_shape[:2]
    is_outside = ((ends <= 0) | (starts >= (width, height))).any(axis=-1)
    _refuse(
        is_real & is_outside,
        boxes,
        f"boxes of {name} must lie in the image, {width} pixels wide and {height} high, at least "
        "in part",
    )
    if whole and not (labels >= 0).any():
        raise ValueError(f"{name} must hold a box of a class, got none in {len(labels)} images.")


def _refuse(wrong: np.ndarray, values: np.ndarray, message: str) -> None:
    """Raise ValueError that names the first wrong box (N, M), if there is one."""
    if wrong.any():
        image, box = np.argwhere(wrong)[0].tolist()
        value = values[image, box].tolist()
        raise ValueError(f"{message}, got {value} as box {box} of image {image}.")
