"""Images and what is true of them, a batch at a time."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_simmim.evaluation.labeled import check_labeled

# Images that are predicted at a time, so that no more predictions than these are held.
BATCH = 64


def check_truth(images: Any, truth: Any) -> None:
    """Raise ValueError unless there is truth for each image, or a dataset of both.

    Args:
        images: array (N, …), or a dataset.
        truth: array (N, …) or a dictionary of such; None for a dataset.
    """
    if truth is None:
        if not hasattr(images, "element_spec"):
            raise ValueError(
                "images must be a dataset of (images, truth) batches if nothing else is given, got "
                f"{type(images).__name__}."
            )
        check_labeled("images", images)
        return
    counts = {len(part) for part in keras.tree.flatten(truth)}
    if counts != {len(images)}:
        raise ValueError(
            f"there must be truth for each of {len(images)} images, got {sorted(counts)}."
        )


def labeled_batches(images: Any, truth: Any) -> Iterator[tuple[np.ndarray, Any]]:
    """Give images and truth in batches, as arrays.

    Args:
        images: array (N, H, W, C), or a `tf.data.Dataset` of (images, truth) batches.
        truth: array (N, …) or a dictionary of such; None for a dataset.

    Example:
    ```python
    import numpy as np
    from keras_simmim.evaluation.labeled_batches import labeled_batches

    batches = labeled_batches(np.zeros((70, 4, 4, 3)), np.zeros((70, 4, 4), "uint8"))
    [len(masks) for _, masks in batches]   # [64, 6]
    ```
    """
    if truth is None:
        yield from ((batch[0], batch[1]) for batch in images.as_numpy_iterator())
        return
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        taken = keras.tree.map_structure(lambda array, part=part: np.asarray(array[part]), truth)
        yield np.asarray(images[part]), taken
