"""A picture of images, their true classes and those that a model gives them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_simmim.evaluation.lay_out import lay_out
from keras_simmim.evaluation.palette import palette
from keras_simmim.evaluation.rgb_pictures import Shown, rgb_pictures


def segmentation_sheet(
    model: Any,
    images: Any,
    masks: Any = None,
    scale: int = 1,
    colors: ArrayLike | None = None,
    shown_channels: Shown = None,
) -> np.ndarray:
    """Lay out images, and below them their classes as colors over the image, one image a column.

    The rows are the images, the true classes if given, and the predicted ones. Pixels that are
    ignored stay as they are. Each row has its name on its left.

    Args:
        model: an `ImageSegmenter`.
        images: array (N, H, W, C), uint8 or float 0–255.
        masks: integers (N, H, W), 255 for pixels without a color; or None.
        scale: enlargement, a whole number of pixels for each.
        colors: of the classes, (K, 3) of 0–255; a fixed choice if None.
        shown_channels: numbers of the channels to show as red, green and blue, or of one as gray;
            the first three if None, or the first of one or two.

    Returns:
        uint8 array (height, width, 3), with gaps between the images.

    Raises:
        ValueError: for masks of another size than the images, or colors of another number.

    Example:
    ```python
    import keras
    import numpy as np
    import keras_simmim as ks

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)])
    images, masks = np.zeros((4, 8, 8, 3), "uint8"), np.zeros((4, 8, 8), "uint8")
    ks.evaluation.segmentation_sheet(model, images, masks).shape   # (32, 102, 3)
    ```
    """
    pictures = rgb_pictures(images, shown_channels)
    probabilities = np.asarray(model.predict(images, verbose=0))
    classes = probabilities.shape[-1]
    chosen = palette(classes) if colors is None else np.asarray(colors)
    if chosen.shape != (classes, 3):
        raise ValueError(f"colors must be ({classes}, 3), one for each class, got {chosen.shape}.")
    rows, names = [pictures], ["image"]
    if masks is not None:
        truth = np.asarray(masks)
        if truth.shape != pictures.shape[:3]:
            raise ValueError(f"masks must be {pictures.shape[:3]}, got {truth.shape}.")
        rows.append(_colored(pictures, truth, chosen))
        names.append("truth")
    rows.append(_colored(pictures, probabilities.argmax(axis=-1), chosen))
    return lay_out(rows, scale, [*names, "predicted"])


def _colored(pictures: np.ndarray, classes: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Mix pictures with the colors of their pixels' classes, half and half."""
    known = (classes >= 0) & (classes < len(colors))
    mixed = (pictures + colors[np.where(known, classes, 0)].astype("uint16")) // 2
    return np.where(known[..., None], mixed, pictures).astype("uint8")
