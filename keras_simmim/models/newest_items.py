"""The newest items of histories, whatever padding stands between them."""

from typing import Any

from keras import ops

from keras_simmim.backend.types import Tensor


def newest_items(histories: Tensor, count: int, length: int) -> Tensor:
    """Put the newest items of each history in front of a row.

    Args:
        histories: int32 (B, l), or (B, l, 1 + F) with the item first, of any l, oldest first;
            wherever the item is 0, there is padding.
        count: of the items to keep at most, ≤ length.
        length: of the rows, L.

    Returns:
        int32 (B, L) or (B, L, 1 + F), 0 behind the items.

    Example:
    ```python
    from keras import ops
    from keras_simmim.models.newest_items import newest_items

    items = newest_items(ops.array([[0, 7, 0, 5, 3]]), count=2, length=3)
    ops.convert_to_numpy(items).tolist()   # [[5, 3, 0]]
    ```
    """
    fields = [(0, 0)] * (len(histories.shape) - 2)
    # So that there are L positions to choose from.
    rows = ops.pad(ops.cast(histories, "int32"), [(0, 0), (length, 0), *fields])
    items = rows[..., 0] if fields else rows
    valid = ops.cast(ops.not_equal(items, 0), "int32")
    total = ops.sum(valid, axis=1, keepdims=True)
    age = total - ops.cumsum(valid, axis=1)
    kept = valid * ops.cast(age < count, "int32")
    # What is kept sorts first, by its place, and what is not behind it.
    place = ops.cumsum(ops.ones_like(items), axis=1)
    order = ops.argsort(place - kept * ops.max(place), axis=1)[:, :length]
    number = ops.arange(length, dtype="int32")[None]
    is_item: Any = ops.cast(number < ops.minimum(total, count), "int32")
    if fields:
        order, is_item = ops.expand_dims(order, -1), ops.expand_dims(is_item, -1)
    return ops.take_along_axis(rows, order, axis=1) * is_item
