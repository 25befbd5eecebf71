"""Complete IoU, which tells boxes that do not overlap how to get nearer."""

import math

from keras import ops

from keras_simmim.backend.types import Tensor

# Sides count as at least this long, in pixels: gradients grow with the inverse of a side.
_SHORTEST = 0.01


def ciou(boxes: Tensor, others: Tensor) -> Tensor:
    """Compare boxes in pairs: IoU − d²/c² − α·v.

    d is the distance of the centers, c the diagonal of the smallest box around both,
    v = 4/π²·(arctan w'/h' − arctan w/h)² the difference of the proportions, and
    α = v / (1 − IoU + v), a constant to the gradient as in the authors' code. Values and gradients
    are finite for all boxes, those without area too.

    Args:
        boxes: (…, 4), in pixels.
        others: (…, 4), broadcast against `boxes`.

    Returns:
        float32 (…), at most 1; 1 − CIoU is the loss.

    Source: Zheng et al., "Distance-IoU Loss: Faster and Better Learning for Bounding Box
    Regression", AAAI 2020, equations 8–11.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.ciou import ciou

    ciou(ops.array([0.0, 0.0, 2.0, 2.0]), ops.array([2.0, 0.0, 4.0, 2.0]))   # -0.2
    ```
    """
    starts, ends, sides = _spans(boxes)
    other_starts, other_ends, other_sides = _spans(others)
    lengths = ops.minimum(ends, other_ends) - ops.maximum(starts, other_starts)
    shared = ops.prod(ops.maximum(lengths, 0.0), axis=-1)
    overlap = shared / (ops.prod(sides, axis=-1) + ops.prod(other_sides, axis=-1) - shared)

    outer = ops.maximum(ends, other_ends) - ops.minimum(starts, other_starts)
    between = (starts + ends - other_starts - other_ends) / 2.0
    distance = ops.sum(ops.square(between), axis=-1) / ops.sum(ops.square(outer), axis=-1)

    angles = _angle(other_sides) - _angle(sides)
    proportion = 4.0 / math.pi**2 * ops.square(angles)
    # Equal boxes would divide 0 by 0.
    weight = proportion / ops.maximum(1.0 - overlap + proportion, 1e-7)
    return overlap - distance - ops.stop_gradient(weight) * proportion


def _spans(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return where boxes start and end and their sides along x and y, each float32 (…, 2)."""
    boxes = ops.cast(boxes, "float32")
    starts = boxes[..., :2]
    ends = ops.maximum(boxes[..., 2:], starts + _SHORTEST)
    return starts, ends, ends - starts


def _angle(sides: Tensor) -> Tensor:
    """Return the arc tangent of width over height."""
    return ops.arctan(sides[..., 0] / sides[..., 1])
