"""Where the positions of feature maps lie in the image."""

import math
from collections.abc import Sequence

import numpy as np


def points(image_size: tuple[int, int], strides: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Find the centers of all positions of all levels: half a stride, then one stride each.

    Args:
        image_size: height and width of the images, in pixels.
        strides: pixels that one position of each level steps by. A level has
            ⌈height / stride⌉ × ⌈width / stride⌉ positions.

    Returns:
        float32 (N, 2), x and y in pixels, level by level and row by row, and float32 (N,), the
        stride of each.

    Example:
    ```python
    from keras_simmim.boxes.points import points

    points((8, 16), [8, 16])[0]   # [[4, 4], [12, 4], [8, 8]]
    ```
    """
    centers, steps = [], []
    for stride in strides:
        y, x = ((np.arange(math.ceil(side / stride)) + 0.5) * stride for side in image_size)
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        centers.append(grid)
        steps.append(np.full(len(grid), stride))
    return np.concatenate(centers).astype("float32"), np.concatenate(steps).astype("float32")
