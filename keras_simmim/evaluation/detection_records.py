"""Boxes of images without their padding."""

from typing import Any

import numpy as np


def detection_records(name: str, given: Any, keys: tuple[str, ...]) -> list[dict[str, np.ndarray]]:
    """Take boxes apart by images, and leave out the padding, whose label is −1.

    Args:
        name: of the argument, for errors.
        given: {"boxes": (N, M, 4), "labels": (N, M), …} or a list of such dictionaries without N.
        keys: names of the arrays, "boxes" and "labels" among them.

    Returns:
        A dictionary for each image: "boxes", float64 (m, 4), and the others (m,).

    Raises:
        ValueError: for arrays that are missing or do not fit each other, or boxes that are not
            finite.

    Example:
    ```python
    import numpy as np
    from keras_simmim.evaluation.detection_records import detection_records

    truth = {"boxes": np.zeros((2, 3, 4)), "labels": np.array([[0, 1, -1], [-1, -1, -1]])}
    records = detection_records("truth", truth, ("boxes", "labels"))
    [len(each["boxes"]) for each in records]   # [2, 0]
    ```
    """
    records = list(given) if isinstance(given, list | tuple) else [given]
    for record in records:
        missing = [key for key in keys if key not in record]
        if missing:
            raise ValueError(f"{name} must hold {keys}, got none of {missing}.")
    if not isinstance(given, list | tuple):
        arrays = [np.asarray(given[key]) for key in keys]
        if len({len(array) for array in arrays}) != 1:
            shapes = {key: array.shape for key, array in zip(keys, arrays, strict=True)}
            raise ValueError(f"{name} must hold arrays of as many images each, got {shapes}.")
        records = [dict(zip(keys, rows, strict=True)) for rows in zip(*arrays, strict=True)]
    return [_without_padding(name, index, record, keys) for index, record in enumerate(records)]


def _without_padding(
    name: str, index: int, record: dict[str, Any], keys: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Check the arrays of one image, and leave out what has the label −1."""
    arrays = {key: np.asarray(record[key]) for key in keys}
    boxes = arrays["boxes"].astype("float64")
    arrays["boxes"] = boxes = boxes.reshape(-1, 4) if boxes.size == 0 else boxes
    if any(arrays[key].shape != (len(boxes),) for key in keys if key != "boxes") or (
        boxes.ndim != 2 or boxes.shape[-1] != 4
    ):
        shapes = {key: array.shape for key, array in arrays.items()}
        raise ValueError(
            f"{name} must hold boxes (M, 4) and numbers (M,) of each image, got {shapes} of image "
            f"{index}."
        )
    labels = arrays["labels"]
    if labels.size and not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels of {name} must be integers, got {labels.dtype}.")
    kept = {key: array[labels != -1] for key, array in arrays.items()}
    if not np.isfinite(kept["boxes"]).all():
        raise ValueError(f"boxes of {name} must be finite, got NaN or infinity in image {index}.")
    return kept
