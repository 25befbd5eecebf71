"""True boxes as numbers that a loss can take, and which of them are none at all."""

from typing import Any

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.areas import areas
from keras_simmim.boxes.clip import clip
from keras_simmim.data.target_values import IGNORED_BOX, NO_BOX


def integer_boxes(
    truth: dict[str, Any], num_classes: int, image_size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes within the image, labels as int32, and what makes a loss NaN.

    Args:
        truth: "boxes" (B, M, 4): left, top, right and bottom in pixels; "labels" (B, M): whole
            numbers of any type, −1 pads, −2 is an ignored box.
        num_classes: number of classes K.
        image_size: height and width of the images, in pixels.

    Returns:
        float32 (B, M, 4), clipped to the image; int32 (B, M), within −2 … K − 1, −1 where nothing
        of a box lies in the image; and float32 (B,), 0, or NaN for images with a label that is no
        class, or with a box whose right or bottom comes before its left or top, so that a step
        with them is skipped. Padding may hold any numbers. At least one row is returned.

    Raises:
        ValueError: for truth of other names or shapes.

    Example:
    ```python
    import numpy as np
    from keras_simmim.objectives.integer_boxes import integer_boxes

    truth = {"boxes": np.array([[[-4.0, 2.0, 6.0, 9.0]]]), "labels": np.array([[2]])}
    integer_boxes(truth, num_classes=3, image_size=(8, 8))[0]   # [[[0, 2, 6, 8]]]
    ```
    """
    if not isinstance(truth, dict) or not {"boxes", "labels"} <= set(truth):
        given = sorted(truth) if isinstance(truth, dict) else type(truth).__name__
        raise ValueError(f"truth must be a dictionary of 'boxes' and 'labels', got {given}.")
    boxes, given = (ops.convert_to_tensor(truth[name]) for name in ("boxes", "labels"))
    if len(given.shape) != 2 or tuple(boxes.shape[1:]) != (given.shape[1], 4):
        raise ValueError(
            "boxes must be (B, M, 4) and labels (B, M), got "
            f"{tuple(boxes.shape)} and {tuple(given.shape)}."
        )
    if given.shape[1] is None:
        raise ValueError(
            "boxes must have one number M of rows in all batches, got any: pad them with label -1."
        )
    boxes = ops.cast(boxes, "float32")
    if given.shape[1] == 0:
        boxes = ops.pad(boxes, ((0, 0), (0, 1), (0, 0)))
        given = ops.pad(given, ((0, 0), (0, 1)), constant_values=NO_BOX)
    labels = ops.cast(given, "int32")
    is_known = ops.logical_and(labels >= IGNORED_BOX, labels < num_classes)
    is_exact = ops.cast(labels, "float32") == ops.cast(given, "float32")
    # Comparisons with NaN are false: such a box is not in order either.
    in_order = ops.all(boxes[..., 2:] >= boxes[..., :2], axis=-1)
    in_order = ops.logical_or(labels == NO_BOX, in_order)
    is_right = ops.logical_and(ops.logical_and(is_known, is_exact), in_order)
    is_real = ops.logical_and(labels != NO_BOX, is_right)
    boxes = clip(ops.where(ops.expand_dims(is_real, -1), boxes, 0.0), image_size)
    labels = ops.where(ops.logical_and(is_real, areas(boxes) > 0.0), labels, NO_BOX)
    return boxes, labels, ops.where(ops.all(is_right, axis=-1), 0.0, float("nan"))
