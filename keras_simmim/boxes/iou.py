"""How much boxes overlap, all of one set with all of another."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.areas import areas

# What two boxes without any area are divided by, in square pixels.
_SMALLEST_AREA = 1e-9


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Divide the intersection of each two boxes by their union.

    Args:
        boxes: (N, 4) or (B, N, 4), in pixels.
        others: (M, 4) or (B, M, 4).

    Returns:
        float32 (B, N, M), or (N, M) where neither has a batch, 0–1; 0 for two boxes without area.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.iou import iou

    boxes = ops.array([[0.0, 0.0, 4.0, 4.0]])
    iou(boxes, ops.array([[2.0, 0.0, 6.0, 4.0], [5.0, 5.0, 6.0, 6.0]]))   # [[0.33333334, 0]]
    ```
    """
    boxes, others = ops.cast(boxes, "float32"), ops.cast(others, "float32")
    shared = _intersections(boxes, others)
    both = ops.expand_dims(areas(boxes), -1) + ops.expand_dims(areas(others), -2)
    return shared / ops.maximum(both - shared, _SMALLEST_AREA)


def coverage(boxes: Tensor, others: Tensor) -> Tensor:
    """Divide the intersection of each two boxes by the area of the first.

    It is what COCO's evaluation takes in place of the IoU where the other box is a crowd.

    Args:
        boxes: (N, 4) or (B, N, 4), in pixels.
        others: (M, 4) or (B, M, 4).

    Returns:
        float32 (B, N, M), or (N, M) where neither has a batch, 0–1; 0 for a first without area.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.iou import coverage

    boxes = ops.array([[0.0, 0.0, 4.0, 4.0]])
    coverage(boxes, ops.array([[2.0, 0.0, 60.0, 40.0]]))   # [[0.5]]
    ```
    """
    boxes, others = ops.cast(boxes, "float32"), ops.cast(others, "float32")
    first = ops.expand_dims(areas(boxes), -1)
    return _intersections(boxes, others) / ops.maximum(first, _SMALLEST_AREA)


def _intersections(boxes: Tensor, others: Tensor) -> Tensor:
    """Measure the area that each two boxes share: (…, N, M)."""
    return _shared_lengths(boxes, others, 0) * _shared_lengths(boxes, others, 1)


def _shared_lengths(boxes: Tensor, others: Tensor, axis: int) -> Tensor:
    """Measure the length that each two boxes share along one axis: (…, N, M)."""
    starts = ops.maximum(
        ops.expand_dims(boxes[..., axis], -1), ops.expand_dims(others[..., axis], -2)
    )
    ends = ops.minimum(
        ops.expand_dims(boxes[..., axis + 2], -1), ops.expand_dims(others[..., axis + 2], -2)
    )
    return ops.maximum(ends - starts, 0.0)
