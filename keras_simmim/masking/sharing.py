"""Whole numbers of blocks from shares of them."""

import math
from collections.abc import Sequence

import numpy as np


def hidden_count(ratio: float, blocks: int) -> int:
    """Count the blocks to hide, ⌈ratio·N⌉, without rounding errors such as ⌈0.7·10⌉ = 8."""
    return math.ceil(round(ratio * blocks, 9))


def largest_remainder(total: int, shares: Sequence[float]) -> np.ndarray:
    """Share out `total` things in proportion to `shares`, in whole numbers that add up.

    Each gets the whole part of its due; what is left goes to the largest fractions, the earlier
    first among equals.

    Example:
    ```python
    from keras_simmim.masking.sharing import largest_remainder

    largest_remainder(10, [1, 1, 1]).tolist()   # [4, 3, 3]
    ```
    """
    due = total * np.asarray(shares, "float64") / np.sum(shares)
    # Rounding errors must not order equal fractions.
    counts = np.floor(np.round(due, 9)).astype(int)
    order = np.argsort(-np.round(due - counts, 9), kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts


def round_counts(totals: Sequence[int], shares: Sequence[float]) -> np.ndarray:
    """Share out the blocks hidden so far among the modalities, round by round: int (T, M).

    Each row is that of largest remainder, but for this: a block hidden once stays with its
    modality, so where largest remainder would give fewer than in the round before (the Alabama
    paradox), the modality keeps its count and the most favored others give way.
    """
    rows = []
    before = np.zeros(len(shares), int)
    for total in totals:
        counts = np.maximum(largest_remainder(total, shares), before)
        due = total * np.asarray(shares) / np.sum(shares)
        for _ in range(counts.sum() - total):
            counts[np.argmax(np.where(counts > before, counts - due, -np.inf))] -= 1
        rows.append(counts)
        before = counts
    return np.array(rows)
