"""Boxes that a detector starts from."""

from collections.abc import Sequence

import numpy as np

from keras_simmim.boxes.points import points


def anchors(
    image_size: tuple[int, int],
    strides: Sequence[float],
    scales: Sequence[float] = (8.0,),
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
) -> np.ndarray:
    """Put boxes of several sizes and proportions around the center of each position.

    Args:
        image_size: height and width of the images, in pixels.
        strides: pixels that one position of each level steps by.
        scales: sides of the square anchors, in strides of their level.
        ratios: widths divided by heights. The area is that of the square.

    Returns:
        float32 (N, 4), in pixels: level by level, row by row, and at each position all ratios of
        the first scale, then of the next. They are not clipped to the image.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, section 3.1; 8 strides are the sizes of Lin
    et al., "Feature Pyramid Networks", CVPR 2017, section 4.1.

    Example:
    ```python
    from keras_simmim.boxes.anchors import anchors

    anchors((8, 8), [8], scales=[1.0, 2.0], ratios=[1.0])   # [[0, 0, 8, 8], [-4, -4, 12, 12]]
    ```
    """
    centers, steps = points(image_size, strides)
    shapes = [(scale * ratio**0.5, scale / ratio**0.5) for scale in scales for ratio in ratios]
    halves = steps[:, None, None] * np.array(shapes) / 2
    boxes = np.concatenate([centers[:, None] - halves, centers[:, None] + halves], axis=-1)
    return boxes.reshape(-1, 4).astype("float32")
