"""Tensors cut into a grid of blocks, and put together again."""

from keras import ops

from keras_simmim.backend.types import Tensor


def split_blocks(tensor: Tensor, grid: tuple[int, int]) -> Tensor:
    """Cut maps into a grid of blocks.

    Args:
        tensor: (B, H, W, C), or in views (B, V, H, W, C).
        grid: numbers h, w of blocks, which divide H and W.

    Returns:
        (B, V, h, p, w, q, C), V = 1 for maps that are not in views.
    """
    if len(tensor.shape) == 4:
        tensor = ops.expand_dims(tensor, 1)
    _, views, height, width, channels = tensor.shape
    rows, columns = grid
    return ops.reshape(
        tensor, (-1, views, rows, height // rows, columns, width // columns, channels)
    )


def join_blocks(blocks: Tensor) -> Tensor:
    """Put blocks (B, V, h, p, w, q, C) together to maps (B, V, H, W, C)."""
    _, views, rows, height, columns, width, channels = blocks.shape
    return ops.reshape(blocks, (-1, views, rows * height, columns * width, channels))


def spread(values: Tensor, height: int, width: int) -> Tensor:
    """Repeat each block's value, (B, V, h, w, 1) → one a position, (B, V, h·height, w·width, 1)."""
    _, views, rows, columns, _ = values.shape
    blocks = ops.reshape(values, (-1, views, rows, 1, columns, 1))
    shape = (ops.shape(blocks)[0], views, rows, height, columns, width)
    repeated = ops.broadcast_to(blocks, shape)
    return ops.reshape(repeated, (-1, views, rows * height, columns * width, 1))
