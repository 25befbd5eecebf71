"""Images of any number of channels as pictures to draw on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Shown = Sequence[int] | None
MOST = 3  # channels of a picture


def rgb_pictures(images: Any, shown_channels: Shown = None) -> np.ndarray:
    """Make color pictures of images: three of their channels, two without blue, or one as gray.

    Args:
        images: array (N, H, W, C), uint8 or float 0–255.
        shown_channels: numbers of the channels that are red, green and blue, or of one; the first
            three, or of one or two channels the first, if None.

    Returns:
        A new uint8 array (N, H, W, 3).

    Raises:
        ValueError: for another number of axes, or channels that there are not.

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
    pictures = chosen_channels(pictures, shown_channels)
    if pictures.shape[-1] == 1:
        pictures = pictures.repeat(3, axis=-1)
    return np.rint(np.clip(pictures, 0, 255)).astype("uint8")


def chosen_channels(images: np.ndarray, shown_channels: Shown) -> np.ndarray:
    """Return the channels (…, 1 or 3) of images (…, C) that a picture can show.

    Args:
        images: of any type.
        shown_channels: as in `rgb_pictures`; of two, a third of zeros makes a color.

    Raises:
        ValueError: for channels that there are not, or more than three.
    """
    count = images.shape[-1]
    shown = shown_channels
    if shown is None:
        shown = range(3 if count >= MOST else 1)
    places = list(shown)
    if not 1 <= len(places) <= MOST or not all(
        isinstance(place, int | np.integer) and 0 <= place < count for place in places
    ):
        raise ValueError(
            f"shown_channels must be one to three numbers from 0 to {count - 1}, got "
            f"{shown_channels!r}."
        )
    chosen = images[..., places]
    if len(places) == 2:
        return np.concatenate([chosen, np.zeros_like(chosen[..., :1])], axis=-1)
    return chosen
