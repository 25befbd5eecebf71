"""Intersection over union of predicted and true masks, class by class."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_simmim.data.target_values import IGNORED_PIXEL


def mean_iou(predicted: ArrayLike, masks: ArrayLike, num_classes: int) -> dict[str, Any]:
    """Measure the overlap of predicted and true classes: pixels of both by pixels of either.

    Args:
        predicted: classes (N, H, W), integers, or probabilities (N, H, W, K).
        masks: true classes (N, H, W), integers from 0 to K − 1; 255 is ignored.
        num_classes: number K of classes.

    Returns:
        "iou", float64 (K,), with NaN for classes that are neither predicted nor true of any pixel
        that counts; and "mean_iou", the mean of the others, NaN without any.

    Raises:
        ValueError: for shapes that do not fit, or classes out of range.

    Source: Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective",
    IJCV 2015, section 4.1.3.

    Example:
    ```python
    import numpy as np

    import keras_simmim as ks

    predicted, masks = np.array([[[0, 0, 1, 1]]]), np.array([[[0, 1, 1, 255]]])
    ks.evaluation.mean_iou(predicted, masks, num_classes=2)["mean_iou"]   # 0.5
    ```
    """
    return iou_of(confusion_matrix(predicted, masks, num_classes))


def confusion_matrix(predicted: ArrayLike, masks: ArrayLike, num_classes: int) -> np.ndarray:
    """Count pixels by their true class (rows) and the predicted one (columns): int64 (K, K).

    Args:
        predicted: as for `mean_iou`.
        masks: as for `mean_iou`.
        num_classes: as for `mean_iou`.

    Raises:
        ValueError: as `mean_iou`.
    """
    if not 1 <= num_classes <= IGNORED_PIXEL:
        raise ValueError(f"num_classes must be from 1 to {IGNORED_PIXEL}, got {num_classes!r}.")
    truth, classes = np.asarray(masks), np.asarray(predicted)
    if truth.ndim != 3 or not np.issubdtype(truth.dtype, np.integer):
        raise ValueError(
            f"masks must be integers (N, H, W), got {truth.dtype} of shape {truth.shape}."
        )
    if classes.ndim == 4 and classes.shape == (*truth.shape, num_classes):
        classes = classes.argmax(axis=-1)
    if classes.shape != truth.shape or not np.issubdtype(classes.dtype, np.integer):
        raise ValueError(
            f"predicted must be integers {truth.shape}, as the masks, or probabilities "
            f"{(*truth.shape, num_classes)}, got {classes.dtype} of shape {classes.shape}."
        )
    counts = truth != IGNORED_PIXEL
    truth, classes = truth[counts].astype("int64"), classes[counts].astype("int64")
    for name, values in (("masks", truth), ("predicted", classes)):
        wrong = np.unique(values[(values < 0) | (values >= num_classes)])
        if len(wrong):
            raise ValueError(
                f"{name} must hold classes from 0 to {num_classes - 1}, or {IGNORED_PIXEL} in "
                f"masks for pixels that do not count, got {wrong[:5].tolist()}."
            )
    pairs = np.bincount(truth * num_classes + classes, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def iou_of(confusion: np.ndarray) -> dict[str, Any]:
    """Give what `mean_iou` does, of a confusion matrix (K, K)."""
    both = np.diagonal(confusion).astype("float64")
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    iou = np.full(len(both), np.nan)
    np.divide(both, either, out=iou, where=either > 0)
    seen = iou[either > 0]
    return {"mean_iou": float(seen.mean()) if len(seen) else float("nan"), "iou": iou}
