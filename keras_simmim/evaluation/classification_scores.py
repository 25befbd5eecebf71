"""How often a classifier is right, and how sure that is."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Deviations of a normal distribution that hold 95% of it.
_Z = 1.96


def classification_scores(predicted: ArrayLike, labels: ArrayLike) -> dict[str, Any]:
    """Measure the accuracy of named classes.

    Args:
        predicted: (N,) integers, N at least 1.
        labels: (N,) integers, the true ones.

    Returns:
        "accuracy"; "accuracy_interval", [low, high], that holds the true one in 95% of such
        samples; and "balanced_accuracy", the mean over the classes that occur.

    Raises:
        ValueError: for numbers that differ, or no images.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Example:
    ```python
    import keras_simmim as ks

    scores = ks.evaluation.classification_scores([0, 1, 1, 1], [0, 1, 1, 0])
    scores["accuracy"], scores["balanced_accuracy"]   # (0.75, 0.75)
    ```
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(
            f"predicted and labels must be (N,), N at least 1, got {predicted.shape} and "
            f"{labels.shape}."
        )
    hits, count = predicted == labels, len(labels)
    share = float(hits.mean())
    center = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    spread = share * (1 - share) / count + _Z**2 / (4 * count**2)
    half = _Z * spread**0.5 / (1 + _Z**2 / count)
    by_class = [hits[labels == label].mean() for label in np.unique(labels)]
    return {
        "accuracy": share,
        "accuracy_interval": [center - half, center + half],
        "balanced_accuracy": float(np.mean(by_class)),
    }
