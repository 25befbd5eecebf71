"""One picture of what a model sees and fills in."""

from typing import Any

import numpy as np


def reconstruction_sheet(model: Any, images: Any, step: int = 0, scale: int = 1) -> np.ndarray:
    """Lay out originals, what the model saw and what it filled in, one image a column.

    The rows are the originals and then, for every view, the masked images and the
    reconstructions with the visible pixels pasted back.

    Args:
        model: a `SimMIM` with a reconstruction head.
        images: array (N, H, W, C), uint8 or float 0–255.
        step: the masks' step.
        scale: enlargement, a whole number of pixels for each.

    Returns:
        uint8 array (rows·H·scale, N·W·scale, 1 or 3); of other numbers of channels than 1 and 3
        it shows the first.

    Raises:
        ValueError: for a model without a reconstruction head.

    Example:
    ```python
    keras.utils.save_img("reconstructions.png", reconstruction_sheet(model, images[:8]))
    ```
    """
    return sheet_of(model.reconstruct(images, step=step), scale)


def sheet_of(pictures: dict[str, np.ndarray], scale: int = 1) -> np.ndarray:
    """The picture of `reconstruction_sheet` from what `SimMIM.reconstruct` gives."""
    rows = [pictures["original"]]
    if pictures["masked"].ndim == 4:
        rows += [pictures["masked"], pictures["reconstruction"]]
    else:
        for view in range(pictures["masked"].shape[1]):
            rows += [pictures["masked"][:, view], pictures["reconstruction"][:, view]]
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    if sheet.shape[-1] != 3:
        sheet = sheet[..., :1]
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)
