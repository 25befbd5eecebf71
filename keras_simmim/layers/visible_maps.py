"""Maps of any size without what a coarse mask hides."""

import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor


def keep_visible(maps: Tensor, visible: Tensor) -> Tensor:
    """Set the hidden positions of maps to 0.

    Args:
        maps: (B, H, W, C), of fixed H and W.
        visible: float (B, h, w, 1), 1 for a visible block of the image and 0 for a hidden one.

    Returns:
        (B, H, W, C).

    Source: Woo et al., "ConvNeXt V2: Co-designing and Scaling ConvNets with Masked
    Autoencoders", CVPR 2023, section 3.1: a dense convolution between two such masks computes
    what a sparse one does.

    Example:
    ```python
    from keras import ops
    from keras_simmim.layers.visible_maps import keep_visible

    visible = ops.reshape(ops.array([1.0, 0.0]), (1, 1, 2, 1))
    keep_visible(ops.ones((1, 1, 4, 1)), visible)[0, 0, :, 0]   # [1., 1., 0., 0.]
    ```
    """
    return maps * ops.cast(mask_of_size(visible, *maps.shape[1:3]), maps.dtype)


def mask_of_size(visible: Tensor, height: int, width: int) -> Tensor:
    """Bring a mask to the size of a map.

    A position is visible where the block at its center is, or, on a map coarser than the mask,
    where any of the blocks that it covers is.

    Args:
        visible: (B, h, w, 1), 1 for a visible block and 0 for a hidden one.
        height: number of the map's rows.
        width: number of the map's columns.

    Returns:
        (B, height, width, 1), through which no gradient passes.

    Example:
    ```python
    from keras import ops
    from keras_simmim.layers.visible_maps import mask_of_size

    visible = ops.reshape(ops.array([0.0, 0.0, 0.0, 1.0]), (1, 1, 4, 1))
    mask_of_size(visible, 1, 2)[0, 0, :, 0]   # [0., 1.]
    ```
    """
    mask = ops.stop_gradient(visible)
    for axis, length in ((1, height), (2, width)):
        if mask.shape[axis] == length:
            continue
        blocks = _covered(mask.shape[axis], length)
        taken = ops.take(mask, blocks.reshape(-1), axis=axis)
        if blocks.shape[1] > 1:
            shape = taken.shape
            taken = ops.reshape(taken, (-1, *shape[1:axis], *blocks.shape, *shape[axis + 1 :]))
            taken = ops.max(taken, axis=axis + 1)
        mask = taken
    return mask


def _covered(blocks: int, length: int) -> np.ndarray:
    """List the blocks that each position along an axis covers: int32 (length, most of them)."""
    index = np.arange(length)
    if length >= blocks:
        covered = ((2 * index + 1) * blocks // (2 * length))[:, None]
    else:
        first, last = index * blocks // length, ((index + 1) * blocks - 1) // length
        steps = np.arange((last - first).max() + 1)
        covered = np.minimum(first[:, None] + steps, last[:, None])
    return covered.astype("int32")
