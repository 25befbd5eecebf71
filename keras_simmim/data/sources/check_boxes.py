"""A check of the boxes of a data set."""

from collections.abc import Callable

import numpy as np

from keras_simmim.data.target_values import IGNORED_BOX, NO_BOX


def check_boxes(boxes: np.ndarray, labels: np.ndarray, name: Callable[[int], str]) -> None:
    """Check that boxes have areas, and that there is something to learn.

    Args:
        boxes: float32 (T, 4), (left, top, right, bottom), of all images.
        labels: int32 (T,).
        name: from a place to what an error calls that box.

    Raises:
        ValueError: for a box without an area, a label below −2, or no box with a class at all.
    """
    with np.errstate(invalid="ignore"):
        has_area = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    is_box = labels != NO_BOX
    if (flat := np.flatnonzero(is_box & ~has_area)).size:
        raise ValueError(
            "boxes must be (left, top, right, bottom) with left < right and top < bottom, got "
            f"{boxes[flat[0]].tolist()} for {name(flat[0])}{_more(flat)}."
        )
    if (low := np.flatnonzero(labels < IGNORED_BOX)).size:
        raise ValueError(
            "labels of boxes must be classes from 0, −1 for padding or −2 for what is ignored, got "
            f"{labels[low[0]]} for {name(low[0])}{_more(low)}."
        )
    if not (labels >= 0).any():
        raise ValueError(
            "boxes must hold one with a class at least, got none among all images"
            + (f", but {is_box.sum()} that are ignored." if is_box.any() else ".")
        )


def _more(places: np.ndarray) -> str:
    """Return how many other places there are, if any."""
    return f" and {len(places) - 1} more like it" if len(places) > 1 else ""
