"""Selection of some tokens of every image."""

from keras import ops

from keras_simmim.backend.types import Tensor


def take_rows(tokens: Tensor, rows: Tensor) -> Tensor:
    """Take rows of every image's tokens: (B, N, D) and int32 (B, n) → (B, n, D).

    A gather of whole rows of one matrix is what all backends do fast.
    """
    _, count, width = tokens.shape
    images = ops.arange(ops.shape(tokens)[0], dtype="int32")
    flat = ops.reshape(rows + ops.expand_dims(images, 1) * count, (-1,))
    taken = ops.take(ops.reshape(tokens, (-1, width)), flat, axis=0)
    return ops.reshape(taken, (-1, rows.shape[1], width))
