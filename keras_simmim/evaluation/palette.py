"""Colors that can be told apart."""

import colorsys

import numpy as np

# Steps by the golden ratio divide the circle of hues evenly, however many there are.
_STEP = (5**0.5 - 1) / 2


def palette(count: int) -> np.ndarray:
    """Choose as many colors, the first ones the same however many.

    Args:
        count: number of colors.

    Returns:
        uint8 (count, 3): hues at steps of the golden ratio, in turns bright, dark and pale. The
        first 21 are well apart.

    Example:
    ```python
    from keras_simmim.evaluation.palette import palette

    palette(2).tolist()   # [[255, 0, 0], [0, 41, 140]]
    ```
    """
    tones = ((1.0, 1.0), (1.0, 0.55), (0.45, 1.0))
    colors = [colorsys.hsv_to_rgb(k * _STEP % 1, *tones[k % len(tones)]) for k in range(count)]
    return np.rint(255 * np.array(colors).reshape(-1, 3)).astype("uint8")
