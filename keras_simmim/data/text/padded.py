"""Lists of ids of several lengths as one array."""

from collections.abc import Sequence

import numpy as np


def padded(ids: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Return rows of `length` ids: what is longer is cut off, what is shorter is padded with 0.

    Args:
        ids: integers (n,) of each row, of any n.
        length: of all rows.

    Returns:
        int32 (N, length).
    """
    rows = np.zeros((len(ids), length), np.int32)
    for row, own in zip(rows, ids, strict=True):
        row[: len(own)] = own[:length]
    return rows
