"""Labels that a classifier cannot learn from are refused before the first step."""

from typing import Any

import numpy as np

from keras_simmim.data.pipeline.origin import origin


def check_labels(labels: Any, num_classes: int, name: str, unlabelled: bool = False) -> None:
    """Raise ValueError for labels that are not integers from 0 to num_classes − 1.

    Args:
        labels: array of labels.
        num_classes: number of classes.
        name: of the argument, for the error.
        unlabelled: whether images may be without a label, -1, and whole numbers of any type.
    """
    values = np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if unlabelled and values.ndim == 1:
        values = values[values != -1]
        if values.dtype.kind == "f" and np.all(values == np.floor(values)):
            values = values.astype("int64")
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"{name} must be integers (N,) from 0 to {num_classes - 1}, got {values.dtype} of "
            f"shape {values.shape}."
        )
    if np.any(values == -1):
        raise ValueError(
            f"{name} has no label (-1) for {np.sum(values == -1)} of {len(values)} images; "
            "ImageClassifier needs all. SimMIM with a classifier also learns from the others."
        )
    wrong = np.unique(values[(values < 0) | (values >= num_classes)])
    if len(wrong):
        raise ValueError(
            f"{name} must be from 0 to {num_classes - 1} with num_classes={num_classes}, "
            f"got {wrong.tolist()}."
        )


def check_dataset(dataset: Any, num_classes: int, class_names: list[str] | None, name: str) -> None:
    """Raise ValueError for a dataset without labels, or with other classes than the model's.

    Args:
        dataset: batches, with `class_names` where they are known; a `tf.data.Dataset` also has
            its first batch looked at.
        num_classes: number of classes.
        class_names: of the model, or None.
        name: of the argument, for the error.
    """
    theirs = origin(dataset, "class_names")
    if theirs is not None and len(theirs) != num_classes:
        raise ValueError(
            f"{name} has {len(theirs)} classes, {theirs}, but num_classes={num_classes}."
        )
    if theirs is not None and class_names is not None and list(theirs) != list(class_names):
        raise ValueError(f"{name} must have the model's classes, {class_names}, got {theirs}.")
    specification = getattr(dataset, "element_spec", None)
    if specification is None:
        return
    if not isinstance(specification, tuple) or len(specification) < 2:
        raise ValueError(f"{name} must give (images, labels) batches, got images alone.")
    for batch in dataset.take(1).as_numpy_iterator():
        check_labels(batch[1], num_classes, f"{name}'s labels")
