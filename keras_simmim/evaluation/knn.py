"""How well neighbours in the embedding share a label: weighted k-nearest neighbours."""

import numpy as np
from numpy.typing import ArrayLike

# Rows of similarities held at a time: 1,024 × a million embeddings are 4 GB of float32.
_CHUNK = 1024


def knn_accuracy(
    train_embeddings: ArrayLike,
    train_labels: ArrayLike,
    test_embeddings: ArrayLike,
    test_labels: ArrayLike,
    k: int = 20,
    temperature: float = 0.07,
) -> float:
    """Share of test images whose label the k most similar training images vote for.

    Similarity is the cosine s; each neighbour votes with weight exp(s/temperature).

    Args:
        train_embeddings: (N, D) float array.
        train_labels: (N,) integers, at least 0.
        test_embeddings: (M, D) float array.
        test_labels: (M,) integers, at least 0.
        k: number of neighbours, 1 ≤ k ≤ N.
        temperature: above 0; smaller weights the nearest more.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: for shapes that do not fit, embeddings that are not finite, negative labels,
            or k or temperature out of range.

    Source: Wu et al., "Unsupervised feature learning via non-parametric instance
    discrimination", CVPR 2018, section 3.4.

    Example:
    ```python
    knn_accuracy([[1.0, 0.0], [0.0, 1.0]], [0, 1], [[0.9, 0.1]], [0], k=1)   # 1.0
    ```
    """
    train, train_classes = _checked("train", train_embeddings, train_labels)
    test, test_classes = _checked("test", test_embeddings, test_labels)
    if train.shape[1] != test.shape[1]:
        raise ValueError(
            "train_embeddings and test_embeddings must have the same width, "
            f"got {train.shape[1]} and {test.shape[1]}."
        )
    if not 1 <= k <= len(train):
        raise ValueError(f"k must be from 1 to the {len(train)} training images, got {k!r}.")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature!r}.")
    classes = int(max(train_classes.max(), test_classes.max())) + 1
    correct = 0
    for start in range(0, len(test), _CHUNK):
        similarity = test[start : start + _CHUNK] @ train.T
        neighbours = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        nearest = np.take_along_axis(similarity, neighbours, axis=1)
        # Only ratios of the weights matter; without the maximum a small temperature overflows.
        weights = np.exp((nearest - nearest.max(axis=1, keepdims=True)) / temperature)
        votes = np.zeros((len(similarity), classes))
        rows = np.arange(len(similarity))[:, None]
        np.add.at(votes, (rows, train_classes[neighbours]), weights)
        correct += int(np.sum(votes.argmax(axis=1) == test_classes[start : start + _CHUNK]))
    return correct / len(test)


def _checked(name: str, embeddings: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Unit-length embeddings and integer labels, or ValueError."""
    vectors = np.asarray(embeddings, dtype="float32")
    classes = np.asarray(labels)
    if vectors.ndim != 2 or len(vectors) == 0 or classes.shape != (len(vectors),):
        raise ValueError(
            f"{name}_embeddings must be (N, D) and {name}_labels (N,) with N above 0, "
            f"got {vectors.shape} and {classes.shape}."
        )
    if not np.isfinite(vectors).all():
        raise ValueError(f"{name}_embeddings must be finite, got NaN or infinity.")
    if not np.issubdtype(classes.dtype, np.integer) or classes.min() < 0:
        raise ValueError(f"{name}_labels must be integers of at least 0, got {classes!r}.")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12), classes
