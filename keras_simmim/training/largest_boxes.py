"""The largest of too many boxes."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.areas import areas
from keras_simmim.layers.take_rows import take_rows


def largest_boxes(boxes: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Keep so many boxes of each image, those of the largest areas, in the order of their areas.

    Areas are rounded to whole pixels, and equal ones stay in their order: what differs in its last
    bit between backends orders nothing.

    Args:
        boxes: float32 (B, M, 4): left, top, right and bottom; zeros where they pad.
        labels: int32 (B, M); −1 pads.
        count: how many boxes to keep, 1 ≤ count ≤ M.

    Returns:
        float32 (B, count, 4) and int32 (B, count).

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.largest_boxes import largest_boxes

    boxes = ops.convert_to_tensor([[[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 5.0, 5.0]]])
    largest_boxes(boxes, ops.convert_to_tensor([[3, 4]]), count=1)[1]   # [[4]]
    ```
    """
    order = ops.argsort(-ops.round(areas(boxes)), axis=-1)[:, :count]
    kept = take_rows(ops.expand_dims(labels, -1), order)
    return take_rows(boxes, order), ops.squeeze(kept, -1)
