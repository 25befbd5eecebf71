"""Boxes of objects, in a crop of their image."""

from keras import ops

from keras_simmim.backend.types import Tensor


def move_boxes(
    boxes: Tensor,
    labels: Tensor,
    crops: Tensor,
    mirrored: Tensor,
    sides: tuple[int, int],
    min_visible: float,
) -> tuple[Tensor, Tensor]:
    """Say where objects lie in a crop of each image that is resized to the image's size.

    Boxes are cut to their image first, and then to the crop.

    Args:
        boxes: (B, M, 4): left, top, right and bottom, in pixels.
        labels: integers (B, M); −1 pads.
        crops: float32 (B, 4): top, left, height and width in pixels.
        mirrored: bool (B,), whether a crop is mirrored left to right.
        sides: height and width of the images and of the resized crops, in pixels.
        min_visible: least share of a box's area that must lie within the crop.

    Returns:
        float32 (B, M, 4) and int32 (B, M). A box of which less remains, or less than a pixel along
        a side, is padding: label −1 and zeros.

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.move_boxes import move_boxes

    boxes = ops.convert_to_tensor([[[2.0, 2.0, 6.0, 6.0]]])
    crops = ops.convert_to_tensor([[0.0, 4.0, 4.0, 4.0]])
    mirrored = ops.zeros(1, "bool")
    moved, _ = move_boxes(boxes, ops.ones((1, 1)), crops, mirrored, (8, 8), min_visible=0.25)
    moved   # [[[0, 4, 4, 8]]]
    ```
    """
    height, width = sides
    labels = ops.cast(labels, "int32")
    limits = ops.convert_to_tensor([width, height, width, height], dtype="float32")
    tops, lefts, heights, widths = (ops.reshape(crops[:, place], (-1, 1)) for place in range(4))
    starts = ops.stack([lefts, tops, lefts, tops], axis=-1)
    lengths = ops.stack([widths, heights, widths, heights], axis=-1)
    whole = (_clip(ops.cast(boxes, "float32"), limits) - starts) * (limits / lengths)
    left, top, right, bottom = (whole[..., place] for place in range(4))
    opposite = ops.stack([width - right, top, width - left, bottom], axis=-1)
    whole = ops.where(ops.reshape(mirrored, (-1, 1, 1)), opposite, whole)
    moved = _clip(whole, limits)
    before, after = (each[..., 2:] - each[..., :2] for each in (whole, moved))
    stays = ops.logical_and(labels != -1, ops.all(after >= 1.0, axis=-1))
    is_visible = ops.prod(after, axis=-1) >= min_visible * ops.prod(before, axis=-1)
    stays = ops.logical_and(stays, is_visible)
    return ops.where(ops.expand_dims(stays, -1), moved, 0.0), ops.where(stays, labels, -1)


def _clip(boxes: Tensor, limits: Tensor) -> Tensor:
    """Cut boxes (…, 4) to an image whose right and lower sides are at `limits` (4,)."""
    return ops.minimum(ops.maximum(boxes, 0.0), limits)
