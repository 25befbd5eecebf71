"""Assignment of anchors to true boxes by how much they overlap."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.iou import coverage, iou
from keras_simmim.boxes.match import Match


def match_by_overlap(
    anchors: Tensor,
    boxes: Tensor,
    labels: Tensor,
    high: float = 0.5,
    low: float = 0.5,
    force: bool = True,
) -> Match:
    """Give each anchor the true box that it overlaps most, if it does so enough.

    An anchor is positive from an IoU of `high` on, negative below `low`, and nothing in between.
    One that is not positive and of which a share of `low` or more lies in an ignored box is no
    negative either. In an image without boxes all anchors are negative.

    Args:
        anchors: (N, 4), or (B, N, 4) such as proposals, in pixels.
        boxes: (B, M, 4), the true boxes, in pixels.
        labels: int32 (B, M): −1 pads, −2 is an ignored box.
        high: smallest IoU of a positive, 0–1.
        low: IoU that a negative stays below, at most `high`.
        force: whether each true box gets the anchor that overlaps it most, however little: the
            first of several that do so equally, and none where no anchor touches the box. Where
            two boxes want one anchor, it goes to the one that it overlaps more.

    Returns:
        The match of the anchors.

    Raises:
        ValueError: unless 0 < low ≤ high ≤ 1.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, section 3.1.2; Liu et al., "SSD", ECCV 2016,
    section 2.2.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.match_by_overlap import match_by_overlap

    anchors = ops.array([[0.0, 0.0, 8.0, 8.0], [8.0, 0.0, 16.0, 8.0]])
    boxes = ops.array([[[9.0, 0.0, 16.0, 8.0], [0.0, 0.0, 0.0, 0.0]]])
    match = match_by_overlap(anchors, boxes, ops.array([[3, -1]], dtype="int32"))
    ops.cast(match.positive, "int32")   # [[0, 1]]
    ```
    """
    if not 0 < low <= high <= 1:
        raise ValueError(f"low and high must satisfy 0 < low <= high <= 1, got {low} and {high}.")
    is_real = ops.expand_dims(labels >= 0, 1)
    overlaps = ops.where(is_real, iou(anchors, boxes), -1.0)
    if force:
        # Two more than an IoU can be: a box that wants an anchor goes before all that do not.
        overlaps = ops.where(_wanted(overlaps), overlaps + 2.0, overlaps)
    largest = ops.amax(overlaps, axis=-1)
    positive = largest >= high
    is_ignored = ops.expand_dims(labels == -2, 1)
    covered = ops.amax(ops.where(is_ignored, coverage(anchors, boxes), -1.0), axis=-1)
    negative = ops.logical_and(largest < low, covered < low)
    return Match(ops.cast(ops.argmax(overlaps, axis=-1), "int32"), positive, negative)


def _wanted(overlaps: Tensor) -> Tensor:
    """Mark each true box' best anchor: (B, N, M) → bool (B, N, M)."""
    best = ops.cast(ops.argmax(overlaps, axis=1), "int32")
    best = ops.expand_dims(ops.where(ops.amax(overlaps, axis=1) > 0.0, best, -1), 1)
    return ops.reshape(ops.arange(overlaps.shape[1], dtype="int32"), (-1, 1)) == best
