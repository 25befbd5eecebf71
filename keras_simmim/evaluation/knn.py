"""Weighted k-nearest neighbors: how well neighbors in the embedding share a label."""

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_simmim.evaluation.labeled import checked_pair

# Rows of similarities held at a time, of test and of train images: 64 MiB of float32, however
# many images there are.
_TEST_ROWS, _TRAIN_ROWS = 256, 65_536


def knn_accuracy(
    train_embeddings: ArrayLike,
    train_labels: ArrayLike,
    test_embeddings: ArrayLike,
    test_labels: ArrayLike,
    k: Any = 20,
    temperature: float = 0.07,
) -> float | dict[int, float]:
    """Return the share of test images whose k most similar training images vote for their label.

    Similarity is the cosine s; each neighbor votes with weight exp(s/temperature).

    Args:
        train_embeddings: (N, D) float array.
        train_labels: (N,) integers, at least 0.
        test_embeddings: (M, D) float array.
        test_labels: (M,) integers, at least 0.
        k: number of neighbors, 1 ≤ k ≤ N, or several of them.
        temperature: above 0; smaller weights the nearest more.

    Returns:
        A number in [0, 1]; of several k, a dictionary of such numbers by k.

    Raises:
        ValueError: for shapes that do not fit, embeddings that are not finite, negative labels,
            training images of one class alone, or k or temperature out of range.

    Source: Wu et al., "Unsupervised feature learning via non-parametric instance
    discrimination", CVPR 2018, section 3.4.

    Example:
    ```python
    import keras_simmim as ks

    train, labels = [[1.0, 0.0], [0.0, 1.0]], [0, 1]
    ks.evaluation.knn_accuracy(train, labels, [[0.9, 0.1]], [0], k=1)   # 1.0
    ```
    """
    train, train_classes, test, test_classes = checked_pair(
        train_embeddings, train_labels, test_embeddings, test_labels
    )
    is_one = isinstance(k, numbers.Integral)
    wanted = (int(k),) if is_one else tuple(map(int, k))
    for count in wanted:
        if not 1 <= count <= len(train):
            raise ValueError(f"k must be from 1 to the {len(train)} training images, got {k!r}.")
    if not wanted:
        raise ValueError("k must be a number or several, got none.")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature!r}.")
    classes = int(max(train_classes.max(), test_classes.max())) + 1
    correct = dict.fromkeys(wanted, 0)
    for start in range(0, len(test), _TEST_ROWS):
        similarity, neighbors = nearest(test[start : start + _TEST_ROWS], train, max(wanted))
        # Only ratios of the weights matter; without the maximum a small temperature overflows.
        weights = np.exp((similarity - similarity[:, :1]) / temperature)
        truth = test_classes[start : start + _TEST_ROWS]
        rows = np.arange(len(truth))[:, None]
        for count in wanted:
            votes = np.zeros((len(truth), classes))
            np.add.at(votes, (rows, train_classes[neighbors[:, :count]]), weights[:, :count])
            correct[count] += int(np.sum(votes.argmax(axis=1) == truth))
    accuracy = {count: right / len(test) for count, right in correct.items()}
    return accuracy[wanted[0]] if is_one else accuracy


def nearest(test: np.ndarray, train: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosines of the most similar train rows, highest first, and the rows' numbers."""
    test = _unit(test)
    similarity = np.empty((len(test), 0), "float32")
    indices = np.empty((len(test), 0), "int64")
    for start in range(0, len(train), _TRAIN_ROWS):
        part = test @ _unit(train[start : start + _TRAIN_ROWS]).T
        places = np.broadcast_to(np.arange(start, start + part.shape[1]), part.shape)
        similarity = np.concatenate([similarity, part], axis=1)
        indices = np.concatenate([indices, places], axis=1)
        if similarity.shape[1] > count:
            chosen = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
            similarity = np.take_along_axis(similarity, chosen, axis=1)
            indices = np.take_along_axis(indices, chosen, axis=1)
    order = np.argsort(-similarity, axis=1, kind="stable")
    return np.take_along_axis(similarity, order, 1), np.take_along_axis(indices, order, 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to length one; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
