"""A picture of images with their true boxes and those that a model finds."""

from typing import Any

import numpy as np

from keras_simmim.evaluation.detection_records import detection_records
from keras_simmim.evaluation.lay_out import lay_out
from keras_simmim.evaluation.palette import palette
from keras_simmim.evaluation.rgb_pictures import Shown, rgb_pictures

# Of true boxes that are to be ignored.
_GRAY = np.array([128, 128, 128], "uint8")


def detection_sheet(
    model: Any,
    images: Any,
    truth: Any = None,
    score: float = 0.3,
    scale: int = 1,
    shown_channels: Shown = None,
) -> np.ndarray:
    """Lay out images with boxes drawn on them in the colors of their classes, one image a column.

    The rows are the images with their true boxes, if given, and those with the boxes found. Each
    has its name on its left.

    Args:
        model: an `ObjectDetector`.
        images: array (N, H, W, C), uint8 or float 0–255.
        truth: {"boxes": (N, M, 4), "labels": (N, M)}, label −1 pads, −2 is drawn gray; or None.
        score: least score of the boxes that are drawn.
        scale: enlargement, a whole number of pixels for each.
        shown_channels: numbers of the channels to show as red, green and blue, or of one as gray;
            the first three if None, or the first of one or two.

    Returns:
        uint8 array (height, width, 3), with gaps between the images.

    Raises:
        ValueError: for another number of true boxes than of images.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks


    class Finder:
        def predict(self, images, verbose):
            return {**truth, "scores": np.ones((1, 1))}


    truth = {"boxes": np.array([[[0, 0, 9.0, 9.0]]]), "labels": np.array([[0]])}
    sheet = ks.evaluation.detection_sheet(Finder(), np.zeros((1, 16, 16, 3)), truth)
    sheet.shape   # (36, 50, 3)
    ```
    """
    pictures = rgb_pictures(images, shown_channels)
    rows, names = [], []
    if truth is not None:
        true = detection_records("truth", truth, ("boxes", "labels"))
        if len(true) != len(pictures):
            raise ValueError(f"truth must be of {len(pictures)} images, got {len(true)}.")
        rows.append([_drawn(*pair) for pair in zip(pictures, true, strict=True)])
        names.append("truth")
    predicted = model.predict(images, verbose=0)
    found = detection_records("detections", predicted, ("boxes", "scores", "labels"))
    for record in found:
        record["labels"] = np.where(record["scores"] >= score, record["labels"], -1)
    rows.append([_drawn(*pair) for pair in zip(pictures, found, strict=True)])
    return lay_out(rows, scale, [*names, "found"])


def _drawn(picture: np.ndarray, record: dict[str, np.ndarray]) -> np.ndarray:
    """Draw boxes on a copy of a picture, none where the label is −1."""
    picture, labels = picture.copy(), record["labels"]
    height, width, _ = picture.shape
    colors = palette(int(labels.max(initial=-1)) + 1)
    for (left, top, right, bottom), label in zip(record["boxes"], labels, strict=True):
        if label == -1 or right <= 0 or bottom <= 0 or left >= width or top >= height:
            continue
        first_row, first_column = (int(max(edge, 0)) for edge in (top, left))
        last_row = max(first_row, int(np.ceil(min(bottom, height))) - 1)
        last_column = max(first_column, int(np.ceil(min(right, width))) - 1)
        color = colors[label] if label >= 0 else _GRAY
        picture[[first_row, last_row], first_column : last_column + 1] = color
        picture[first_row : last_row + 1, [first_column, last_column]] = color
    return picture
