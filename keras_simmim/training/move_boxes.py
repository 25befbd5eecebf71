"""Boxes of objects, in a crop of their image."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.boxes.areas import areas
from keras_simmim.boxes.clip import clip


def move_boxes(
    boxes: Tensor,
    labels: Tensor,
    crops: Tensor,
    mirrored: Tensor,
    sides: tuple[int, int],
    min_visible: float,
) -> tuple[Tensor, Tensor]:
    """Say where objects lie in a crop of each image that is resized to the image's size.

    Boxes are cut to their image first, and then to the crop. A box of label −2 stays, however
    small its visible share is: what is left of a crowd is still no background.

    Args:
        boxes: (B, M, 4): left, top, right and bottom, in pixels.
        labels: integers (B, M); −1 pads, −2 is ignored by losses.
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
    whole = (clip(boxes, sides) - starts) * (limits / lengths)
    left, top, right, bottom = (whole[..., place] for place in range(4))
    opposite = ops.stack([width - right, top, width - left, bottom], axis=-1)
    whole = ops.where(ops.reshape(mirrored, (-1, 1, 1)), opposite, whole)
    moved = clip(whole, sides)
    is_visible = areas(moved) >= min_visible * areas(whole)
    has_sides = ops.all(moved[..., 2:] - moved[..., :2] >= 1.0, axis=-1)
    stays = (labels != -1) & has_sides & (is_visible | (labels == -2))
    return ops.where(ops.expand_dims(stays, -1), moved, 0.0), ops.where(stays, labels, -1)
