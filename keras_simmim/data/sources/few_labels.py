"""Some labeled images of each class, as arrays."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_simmim.data import arguments


def few_labels(dataset: Any, labels_per_class: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw so many images of every class out of a data set.

    The data set is read twice: once for its labels, once for the chosen images.

    Args:
        dataset: batches of (images, labels), in the same order each time, such as
            `image_folder(…, training=False)` or a `keras.utils.PyDataset` gives. Labels of −1 are
            left out.
        labels_per_class: images of each class, at least 1.
        seed: of the draw.

    Returns:
        Images (N, H, W, C) and integer labels (N,), in the order of the data set.

    Raises:
        ValueError: for a data set without labels, or with fewer images of some class.
        TypeError: if `labels_per_class` is no integer.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype="uint8")
    dataset = ks.data.from_arrays(images, np.arange(12) % 3, training=False)
    few, labels = ks.data.few_labels(dataset, labels_per_class=2)
    few.shape, np.bincount(labels)   # (6, 8, 8, 3), [2 2 2]
    ```
    """
    arguments.as_integer("labels_per_class", labels_per_class, minimum=1)
    labels = np.concatenate([labels for _, labels in _batches(dataset)])
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels[labels >= 0]):
        candidates = np.flatnonzero(labels == label)
        if len(candidates) < labels_per_class:
            raise ValueError(
                f"labels_per_class must be at most {len(candidates)}, the images of class "
                f"{label}, got {labels_per_class}."
            )
        chosen[generator.choice(candidates, labels_per_class, replace=False)] = True
    images, start = [], 0
    for batch, classes in _batches(dataset):
        stop = start + len(classes)
        images.append(np.asarray(batch)[chosen[start:stop]])
        start = stop
    return np.concatenate(images), labels[chosen]


def _batches(dataset: Any) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield the images of each batch, and its labels (batch,)."""
    is_indexed = isinstance(dataset, keras.utils.PyDataset)
    for batch in (dataset[index] for index in range(len(dataset))) if is_indexed else dataset:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ValueError("dataset must give (images, labels) batches, got images alone.")
        yield batch[0], np.asarray(batch[1])
