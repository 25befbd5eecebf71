"""Boxes as offsets from anchors, which is what networks predict, and back."""

import math
from collections.abc import Sequence

from keras import ops

from keras_simmim.backend.types import Tensor

# A side grows to at most 62.5 times the anchor's: the bound of Detectron and torchvision.
_LARGEST_LOG = math.log(1000 / 16)
# Sides count as at least this long, in pixels: 0 has no logarithm.
_SHORTEST = 1e-3
VARIANCES = (0.1, 0.1, 0.2, 0.2)
UNSCALED = (1.0, 1.0, 1.0, 1.0)


def encode_offsets(
    boxes: Tensor, anchors: Tensor, variances: Sequence[float] = VARIANCES
) -> Tensor:
    """Write boxes as offsets (tx, ty, tw, th) from anchors, each divided by its variance.

    tx = (x − xₐ)/wₐ and ty = (y − yₐ)/hₐ of the centers, tw = log(w/wₐ), th = log(h/hₐ).

    Args:
        boxes: (…, N, 4), in pixels.
        anchors: (N, 4) or of the boxes' shape, in pixels.
        variances: what the four offsets are divided by, so that they are of one size.

    Returns:
        float32 (…, N, 4).

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, equation 2; the variances are from the code
    of Liu et al., "SSD", ECCV 2016.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.offsets import encode_offsets

    anchors = ops.array([[0.0, 0.0, 8.0, 8.0]])
    encode_offsets(ops.array([[2.0, 0.0, 10.0, 8.0]]), anchors)   # [[2.5, 0, 0, 0]]
    ```
    """
    center, sides = _centers_and_sides(boxes)
    anchor_center, anchor_sides = _centers_and_sides(anchors)
    moved, grown = (center - anchor_center) / anchor_sides, ops.log(sides / anchor_sides)
    return ops.concatenate([moved, grown], axis=-1) / ops.array(variances, dtype="float32")


def decode_offsets(
    offsets: Tensor, anchors: Tensor, variances: Sequence[float] = VARIANCES
) -> Tensor:
    """Turn offsets from anchors into boxes: the inverse of `encode_offsets`.

    Args:
        offsets: (…, N, 4): tx, ty, tw, th.
        anchors: (N, 4) or of the offsets' shape, in pixels.
        variances: what the four offsets were divided by.

    Returns:
        float32 (…, N, 4), in pixels, not clipped to the image. A side is at most 62.5 times the
        anchor's: what an untrained network predicts must not overflow.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.offsets import decode_offsets

    anchors = ops.array([[0.0, 0.0, 8.0, 8.0]])
    decode_offsets(ops.array([[2.5, 0.0, 0.0, 0.0]]), anchors)   # [[2, 0, 10, 8]]
    ```
    """
    offsets = ops.cast(offsets, "float32") * ops.array(variances, dtype="float32")
    anchor_center, anchor_sides = _centers_and_sides(anchors)
    center = anchor_center + offsets[..., :2] * anchor_sides
    halves = ops.exp(ops.minimum(offsets[..., 2:], _LARGEST_LOG)) * anchor_sides / 2.0
    return ops.concatenate([center - halves, center + halves], axis=-1)


def _centers_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return (x, y) of the centers and (width, height), each float32 (…, 2)."""
    boxes = ops.cast(boxes, "float32")
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], _SHORTEST)
    return (boxes[..., :2] + boxes[..., 2:]) / 2.0, sides
