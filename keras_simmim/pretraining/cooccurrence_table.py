"""Vectors of tokens out of which tokens stand near each other, found at once by factorizing."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from keras_simmim.data.arguments import as_integer

# How a neighbor's frequency counts: frequent ones say less than it.
_SMOOTHING = 0.75
# Tokens that are counted at a time, which bounds the memory.
_CHUNK = 1 << 20


def cooccurrence_table(
    tokens: Any, vocabulary_size: int, dimensions: int, window: int = 5, seed: int = 0
) -> np.ndarray:
    """Factorize how often tokens stand near each other into a vector for each.

    A masked model of few texts learns in minutes little more than how frequent tokens are. This
    table says in seconds which tokens are used alike, and the model goes on from there:

        backbone.tables[0].assign(table)

    Two tokens d positions apart count 1/d. Of the matrix of positive pointwise mutual information,
    max(0, log(#(a, b)·T / (#(a)·#(b)^0.75))), T being the sum of the #(b)^0.75, the largest
    singular values and vectors are taken, U·√Σ, and each row is given the length 1.

    Args:
        tokens: integers (N, L), 0 for padding, such as a tokenizer gives for all texts, or the
            histories of all users.
        vocabulary_size: how many tokens there are, V, padding among them.
        dimensions: length D of a vector, below V.
        window: the largest distance at which two tokens count as near.
        seed: where the search for singular vectors begins.

    Returns:
        float32 (V, D), with rows of zeros for padding and for tokens without a neighbor.

    Raises:
        ValueError: for arguments out of range, or tokens without any neighbors.
        TypeError: for tokens that are no integers.

    Source: Levy and Goldberg, "Neural word embedding as implicit matrix factorization", NIPS 2014;
    Levy, Goldberg and Dagan, "Improving distributional similarity with lessons learned from word
    embeddings", TACL 2015, for the smoothing and the root of Σ.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    tokens = np.random.default_rng(0).integers(1, 50, (100, 8))
    table = ks.pretraining.cooccurrence_table(tokens, vocabulary_size=50, dimensions=16)
    backbone = ks.backbones.SequenceTransformer(50, 8, num_layers=1, num_heads=2, hidden_dim=16)
    backbone.tables[0].assign(table)
    table.shape   # (50, 16)
    ```
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
        raise TypeError(
            f"tokens must be integers (N, L), got {tokens.dtype} of shape {tokens.shape}."
        )
    window = as_integer("window", window, minimum=1)
    if as_integer("dimensions", dimensions) not in range(1, vocabulary_size):
        raise ValueError(
            f"dimensions must be from 1 to {vocabulary_size - 1}, below vocabulary_size, got "
            f"{dimensions}."
        )
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < vocabulary_size:
        raise ValueError(
            f"tokens must be from 0 to {vocabulary_size - 1}, got {tokens.min()} to {tokens.max()}."
        )
    counts = _counts(tokens, vocabulary_size, window)
    if counts.nnz == 0:
        raise ValueError("tokens must stand beside others, and no row has two of them.")
    information = _positive_information(counts)
    start = np.random.default_rng(seed).normal(size=vocabulary_size)
    left, values, _ = linalg.svds(information, k=dimensions, v0=start)
    table = left[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0.0))
    # The sign of a singular vector is free: let the entry that is farthest from 0 be positive.
    farthest = table[np.abs(table).argmax(axis=0), np.arange(dimensions)]
    table *= np.where(farthest < 0, -1.0, 1.0)
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    # What is 0 but for rounding has no direction.
    known = lengths > 1e-8 * lengths.max()
    return np.where(known, table / np.where(known, lengths, 1.0), 0.0).astype("float32")


def _counts(tokens: np.ndarray, size: int, window: int) -> sparse.csr_array:
    """Count how often tokens are near each other, by 1/distance: (V, V), symmetric."""
    total = sparse.csr_array((size, size))
    rows = max(_CHUNK // max(tokens.shape[1], 1), 1)
    for first in range(0, len(tokens), rows):
        part = tokens[first : first + rows]
        for distance in range(1, min(window, part.shape[1] - 1) + 1):
            one, other = part[:, :-distance].ravel(), part[:, distance:].ravel()
            both = (one > 0) & (other > 0)
            pairs = one[both], other[both]
            weights = np.full(int(both.sum()), 1.0 / distance)
            found = sparse.coo_array((weights, pairs), (size, size)).tocsr()
            total = total + found + found.T
    return sparse.csr_array(total)


def _positive_information(counts: sparse.csr_array) -> sparse.csr_array:
    """Return the positive pointwise mutual information of counts (V, V)."""
    sums = np.asarray(counts.sum(axis=1)).ravel()
    smoothed = sums**_SMOOTHING
    pairs = counts.tocoo()
    one, other = pairs.coords
    values = np.log(pairs.data * smoothed.sum() / (sums[one] * smoothed[other]))
    positive = values > 0
    coordinates = one[positive], other[positive]
    return sparse.coo_array((values[positive], coordinates), counts.shape).tocsr()
