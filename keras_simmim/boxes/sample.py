"""A fixed number of proposals, drawn at random."""

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.layers.take_rows import take_rows

# Keeps these draws apart from others that hash the same words.
_SALT = 0x53616D70


def sample(
    positive: Tensor,
    negative: Tensor,
    count: int,
    share: float,
    seed: int,
    step: Tensor | int,
) -> tuple[Tensor, Tensor]:
    """Draw positives up to a share of the sample, and fill it up with negatives.

    Args:
        positive: bool (B, N).
        negative: bool (B, N), nowhere true with `positive`.
        count: size of an image's sample.
        share: largest share of positives in it, 0–1.
        seed: 0 ≤ seed < 2³¹.
        step: int32 scalar that the sample is drawn from, with the seed.

    Returns:
        int32 (B, count), different rows of the N, positives first, and float32 (B, count), their
        weights: 1, or 0 where an image has too few. Rows of weight 0 are any.

    Source: Girshick, "Fast R-CNN", ICCV 2015, section 2.3; Ren et al., "Faster R-CNN", NeurIPS
    2015, section 3.1.3.

    Example:
    ```python
    from keras import ops
    from keras_simmim.boxes.sample import sample

    positive = ops.array([[False, True, False]])
    negative = ops.array([[True, False, False]])
    sample(positive, negative, count=4, share=0.5, seed=0, step=0)[1]   # [[1, 1, 0, 0]]
    ```
    """
    rows = positive.shape[1]
    drawn = random_uniform(seed ^ _SALT, step, ops.shape(positive)[0], rows)
    positive = _first(positive, drawn, int(count * share))
    positives = ops.sum(ops.cast(positive, "int32"), axis=-1, keepdims=True)
    negative = _first(negative, drawn, count - positives)
    # Draws are below 1: positives come first, then negatives, then what was not drawn.
    keys = ops.where(positive, drawn, ops.where(negative, drawn + 1.0, 3.0))
    taken = ops.cast(ops.argsort(keys, axis=-1), "int32")[:, :count]
    weights = take_rows(ops.expand_dims(ops.cast(keys < 3.0, "float32"), -1), taken)[..., 0]
    padding = ((0, 0), (0, max(count - rows, 0)))
    return ops.pad(taken, padding), ops.pad(weights, padding)


def _first(mask: Tensor, drawn: Tensor, count: Tensor | int) -> Tensor:
    """Keep the `count` marked places of each row that drew the lowest numbers."""
    order = ops.argsort(ops.where(mask, drawn, 2.0), axis=-1)
    ranks = ops.cast(ops.argsort(order, axis=-1), "int32")
    return ops.logical_and(mask, ranks < count)
