"""Images of any number of channels as pictures to draw on."""

from typing import Any

import numpy as np


def rgb_pictures(images: Any) -> np.ndarray:
    """Make color pictures of images: their first three channels, or the first as gray.

    Args:
        images: array (N, H, W, C), uint8 or float 0–255.

    Returns:
        A new uint8 array (N, H, W, 3).

    Raises:
        ValueError: for another number of axes.

    Example:
    ```python
    import numpy as np
    from keras_simmim.evaluation.rgb_pictures import rgb_pictures

    rgb_pictures(np.full((1, 2, 2, 1), 300.0))[0, 0, 0].tolist()   # [255, 255, 255]
    ```
    """
    pictures = np.asarray(images)
    if pictures.ndim != 4:
        raise ValueError(f"images must be (N, H, W, C), got {pictures.shape}.")
    if pictures.shape[-1] < 3:
        pictures = pictures[..., :1].repeat(3, axis=-1)
    return np.rint(np.clip(pictures[..., :3], 0, 255)).astype("uint8")
