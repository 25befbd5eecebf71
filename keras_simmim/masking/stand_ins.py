"""What shows at some of the hidden positions: themselves, or something else."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.masking.blocks import spread

# Keep these draws apart from the masks', which hash the same words.
_KIND, _PLACE = 0x4B696E64, 0x506C6163


def stand_ins(
    tensor: Tensor,
    views: Tensor,
    hidden: Tensor,
    kept: float,
    swapped: float,
    seed: int,
    step: Tensor | int,
    valid: Tensor | None = None,
) -> Tensor:
    """Show, at some hidden positions, what was there or a position of the next example.

    Args:
        tensor: what was masked, (B, H, W, C) or (B, L, C).
        views: of it, masked, (B, V, H, W, C) or (B, V, L, C).
        hidden: (B, V, h, w, 1), 1 for a hidden block.
        kept: share of the hidden positions that show what was there.
        swapped: share of them that show a position of the next example of the batch.
        seed: of the draw.
        step: int32 scalar that it is drawn from.
        valid: float (B, L), 1 where a sequence is no padding; None for no padding.

    Returns:
        The views, changed.
    """
    count, channels = ops.shape(tensor)[0], tensor.shape[-1]
    flat = ops.reshape(tensor, (count, -1, channels))
    positions, shown = flat.shape[1], views.shape[1]
    sizes = (*tensor.shape[1:-1], 1)[:2]
    wide = spread(
        ops.stop_gradient(hidden),
        *(size // blocks for size, blocks in zip(sizes, hidden.shape[2:4], strict=True)),
    )
    lost = ops.reshape(wide, (-1, shown, positions)) > 0
    number = shown * positions
    drawn = ops.reshape(random_uniform(seed ^ _KIND, step, count, number), (-1, shown, positions))
    stays = lost & (drawn < kept)
    changes = lost & (drawn >= kept) & (drawn < kept + swapped)
    other = ops.roll(flat, -1, axis=0)
    counted = ops.ones_like(flat[..., 0]) if valid is None else valid
    counted = ops.roll(ops.cast(counted, "float32"), -1, axis=0)
    order = (1 - counted) * positions + ops.arange(positions, dtype="float32")
    order = ops.cast(ops.argsort(order, axis=-1), "int32")
    total = ops.sum(counted, axis=-1, keepdims=True)
    places = random_uniform(seed ^ _PLACE, step, count, number) * total
    places = ops.take_along_axis(order, ops.cast(places, "int32"), axis=-1)
    taken = ops.reshape(take_rows(other, places), (-1, shown, positions, channels))
    own = ops.expand_dims(flat, 1)
    # Of padding alone there is nothing to show.
    taken = ops.where(ops.reshape(total > 0, (-1, 1, 1, 1)), taken, own)
    result = ops.reshape(views, (-1, shown, positions, channels))
    result = ops.where(stays[..., None], own, result)
    result = ops.where(changes[..., None], taken, result)
    return ops.reshape(result, (-1, *views.shape[1:]))
