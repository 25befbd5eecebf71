"""Some labelled images of each class, as arrays."""

from typing import Any

import numpy as np


def few_labels(dataset: Any, labels_per_class: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw so many images of every class out of a data set.

    The data set is read twice: once for its labels, once for the chosen images.

    Args:
        dataset: batches of (images, labels), in the same order each time, such as
            `image_folder(…, training=False)` gives. Labels of −1 are left out.
        labels_per_class: images of each class, at least 1.
        seed: of the draw.

    Returns:
        Images (N, H, W, C) and integer labels (N,), in the order of the data set.

    Raises:
        ValueError: for a data set without labels, or with fewer images of some class.

    Example:
    ```python
    known = few_labels(ks.data.image_folder("photos", training=False), labels_per_class=10)
    classifier.fit(*known)
    ```
    """
    if labels_per_class < 1:
        raise ValueError(f"labels_per_class must be at least 1, got {labels_per_class!r}.")
    if not isinstance(dataset.element_spec, tuple):
        raise ValueError("dataset must give (images, labels) batches, got images alone.")
    labels = np.concatenate([batch[1] for batch in dataset.as_numpy_iterator()])
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
    for batch in dataset.as_numpy_iterator():
        stop = start + len(batch[1])
        images.append(batch[0][chosen[start:stop]])
        start = stop
    return np.concatenate(images), labels[chosen]
