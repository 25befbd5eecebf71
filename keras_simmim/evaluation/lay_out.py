"""Pictures side by side, in rows."""

from collections.abc import Iterable

import numpy as np

from keras_simmim.evaluation.rgb_pictures import Shown, chosen_channels


def lay_out(
    rows: Iterable[Iterable[np.ndarray]], scale: int = 1, shown_channels: Shown = None
) -> np.ndarray:
    """Lay pictures out in rows, as one picture.

    Args:
        rows: of pictures (H, W, C); those of a row have one height, and all rows one width.
        scale: enlargement, a whole number of pixels for each.
        shown_channels: numbers of the channels to show; see `rgb_pictures`.

    Returns:
        Array (rows·H·scale, …, 1 or 3) of the pictures' type.

    Example:
    ```python
    import numpy as np
    from keras_simmim.evaluation.lay_out import lay_out

    lay_out([np.zeros((4, 2, 3, 3), "uint8")] * 2, scale=2).shape   # (8, 24, 3)
    ```
    """
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    sheet = chosen_channels(sheet, shown_channels)
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)
