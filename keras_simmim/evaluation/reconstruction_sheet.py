"""A picture of masked images and their reconstructions."""

from typing import Any

import numpy as np

from keras_simmim.evaluation.lay_out import lay_out
from keras_simmim.evaluation.rgb_pictures import Shown

HIDDEN, VISIBLE = 64, 224  # grays of a sheet of masks, neither of them the paper's white


def reconstruction_sheet(
    model: Any, images: Any, step: int = 0, scale: int = 1, shown_channels: Shown = None
) -> np.ndarray:
    """Lay out originals, what the model saw and what it filled in, one image a column.

    The rows are the originals and then, for every view, the masked images and the
    reconstructions with the visible pixels pasted back. Each has its name on its left.

    Args:
        model: a `SimMIM` with a reconstruction head.
        images: array (N, H, W, C), uint8 or float 0–255.
        step: the masks' step.
        scale: enlargement, a whole number of pixels for each.
        shown_channels: numbers of the channels to show as red, green and blue, or of one as gray;
            the first three if None, or the first of one or two.

    Returns:
        uint8 array (height, width, 1 or 3) with gaps between the images.

    Raises:
        ValueError: for a model without a reconstruction head, or channels that there are not.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    ks.evaluation.reconstruction_sheet(model, images).shape   # (56, 278, 3)
    ```
    """
    return sheet_of(model.reconstruct(images, step=step), scale, shown_channels)


def sheet_of(
    pictures: dict[str, np.ndarray], scale: int = 1, shown_channels: Shown = None
) -> np.ndarray:
    """Lay out what `SimMIM.reconstruct` returns, as `reconstruction_sheet` describes."""
    rows, names = [pictures["original"]], ["original"]
    if pictures["masked"].ndim == 4:
        rows += [pictures["masked"], pictures["reconstruction"]]
        names += ["seen", "filled in"]
    else:
        for view in range(pictures["masked"].shape[1]):
            rows += [pictures["masked"][:, view], pictures["reconstruction"][:, view]]
            names += [f"seen, view {view + 1}", "filled in"]
    return lay_out(rows, scale, names, shown_channels=shown_channels)


def mask_sheet(masks: np.ndarray, scale: int = 1) -> np.ndarray:
    """Lay out masks, hidden parts dark, one image a column and one view a row: (H, W, 1).

    Args:
        masks: "mask" of `SimMIM.reconstruct`, bool (N, H, W) or (N, V, H, W).
        scale: enlargement, a whole number of pixels for each.
    """
    shades = np.where(masks, HIDDEN, VISIBLE).astype("uint8")[..., None]
    views = shades[:, None] if shades.ndim == 4 else shades
    names = ["hidden"] if views.shape[1] == 1 else [f"view {n + 1}" for n in range(views.shape[1])]
    return lay_out(views.swapaxes(0, 1), scale, names)
