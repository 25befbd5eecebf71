"""Masks of classes, in a crop of their image."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.take_rows import take_rows


def move_masks(masks: Tensor, crops: Tensor, mirrored: Tensor) -> Tensor:
    """Cut a crop out of each mask and resize it to the mask's size, by the nearest pixels.

    Args:
        masks: int32 (B, H, W).
        crops: float32 (B, 4): top, left, height and width in pixels.
        mirrored: bool (B,), whether a crop is mirrored left to right.

    Returns:
        int32 (B, H, W), 0 outside the mask.

    Example:
    ```python
    from keras import ops
    from keras_simmim.training.move_masks import move_masks

    masks = ops.reshape(ops.arange(1, 5), (1, 2, 2))
    crops = ops.convert_to_tensor([[0.0, 1.0, 2.0, 2.0]])
    move_masks(masks, crops, ops.zeros(1, "bool"))   # [[[2, 0], [4, 0]]]
    ```
    """
    height, width = masks.shape[1:]
    rows = _nearest(crops[:, 0], crops[:, 2], height)
    columns = _nearest(crops[:, 1], crops[:, 3], width)
    columns = ops.where(ops.expand_dims(mirrored, 1), ops.flip(columns, axis=1), columns)
    moved = take_rows(masks, ops.clip(rows, 0, height - 1))
    moved = take_rows(ops.transpose(moved, (0, 2, 1)), ops.clip(columns, 0, width - 1))
    row_inside, column_inside = (
        ops.logical_and(pixels >= 0, pixels < size)
        for pixels, size in ((rows, height), (columns, width))
    )
    inside = ops.logical_and(ops.expand_dims(row_inside, 2), ops.expand_dims(column_inside, 1))
    return ops.where(inside, ops.transpose(moved, (0, 2, 1)), 0)


def _nearest(starts: Tensor, lengths: Tensor, size: int) -> Tensor:
    """Find the pixels in which the centers of the new pixels lie, along one side.

    Args:
        starts: float32 (B,), where the crop begins, in pixels.
        lengths: float32 (B,), how long it is, in pixels.
        size: pixels of the side, before and after.

    Returns:
        int32 (B, size), below 0 or at least `size` outside the image.
    """
    shares = (ops.arange(size, dtype="float32") + 0.5) / size
    centers = ops.expand_dims(starts, 1) + ops.expand_dims(lengths, 1) * shares
    return ops.cast(ops.floor(centers), "int32")
