"""Embeddings and labels, as arrays that fit together."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def checked(name: str, embeddings: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 embeddings (N, D) and integer labels (N,).

    Raises:
        ValueError: for shapes that do not fit, embeddings that are not finite, and labels that
            are missing or no integers.
    """
    vectors = np.asarray(embeddings, dtype="float32")
    classes = np.asarray(labels)
    if vectors.ndim != 2 or len(vectors) == 0 or classes.shape != (len(vectors),):
        raise ValueError(
            f"{name}_embeddings must be (N, D) and {name}_labels (N,) with N above 0, "
            f"got {vectors.shape} and {classes.shape}."
        )
    if not np.isfinite(vectors).all():
        raise ValueError(f"{name}_embeddings must be finite, got NaN or infinity.")
    if not np.issubdtype(classes.dtype, np.integer):
        raise ValueError(f"{name}_labels must be integers of at least 0, got {classes.dtype}.")
    if classes.min() < 0:
        raise ValueError(
            f"{name}_labels must be integers of at least 0, got {np.sum(classes < 0)} below 0; "
            "leave images without a label out."
        )
    return vectors, classes


def checked_pair(
    train_embeddings: ArrayLike,
    train_labels: ArrayLike,
    test_embeddings: ArrayLike,
    test_labels: ArrayLike,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return train and test embeddings and labels as arrays that fit each other.

    Raises:
        ValueError: for widths that differ, train labels of one class alone, and as in `checked`.
    """
    train, train_classes = checked("train", train_embeddings, train_labels)
    test, test_classes = checked("test", test_embeddings, test_labels)
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            "train_embeddings and test_embeddings must have the same width, "
            f"got {train.shape[1]} and {test.shape[1]}."
        )
    if len(np.unique(train_classes)) < 2:
        raise ValueError(
            f"train_labels must hold at least two classes, got {train_classes[0]} alone."
        )
    return train, train_classes, test, test_classes


def check_labeled(name: str, data: Any) -> None:
    """Raise ValueError unless data are (images, labels) arrays, or a dataset of such batches."""
    if isinstance(data, tuple | list):
        if len(data) != 2:
            raise ValueError(
                f"{name} must be (images, labels) or a dataset, got {len(data)} parts."
            )
        return
    specification = getattr(data, "element_spec", None)
    if specification is not None and (
        not isinstance(specification, tuple) or len(specification) < 2
    ):
        raise ValueError(f"{name} must give (images, labels) batches, got images alone.")
