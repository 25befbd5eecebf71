"""What a block looks like to a layer that scores it."""

from keras import ops

from keras_simmim.backend.types import Tensor


def block_statistics(blocks: Tensor) -> Tensor:
    """Compute mean and standard deviation of each channel over a block's positions.

    Args:
        blocks: (B, 1, h, p, w, q, C).

    Returns:
        float32 (B, h, w, 2·C).
    """
    blocks = ops.cast(blocks, "float32")
    mean = ops.mean(blocks, axis=(3, 5), keepdims=True)
    # The constant keeps the root's gradient finite in flat blocks.
    deviation = ops.sqrt(ops.mean(ops.square(blocks - mean), axis=(3, 5)) + 1e-6)
    return ops.concatenate([mean[:, 0, :, 0, :, 0], deviation[:, 0]], axis=-1)
