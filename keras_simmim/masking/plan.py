"""How many blocks lose what."""

import itertools
from typing import NamedTuple

import numpy as np

from keras_simmim.backend.types import Tensor


class Plan(NamedTuple):
    """Divide the blocks of an image, in the order in which a draw hides them, into groups.

    Args:
        counts: sizes of S groups, those hidden first first.
        table: (S + 1, V, M), 1 where the blocks of a group lose modality m in a view; the last
            row is for the blocks beyond all groups.
    """

    counts: tuple[int, ...]
    table: tuple[tuple[tuple[float, ...], ...], ...]

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Give the rank at which each group ends."""
        return tuple(itertools.accumulate(self.counts))

    @property
    def hidden_counts(self) -> tuple[int, ...]:
        """Count the blocks that lose anything in each view."""
        views = range(len(self.table[0]))
        groups = list(zip(self.counts, self.table, strict=False))
        return tuple(sum(c for c, rows in groups if any(rows[view])) for view in views)

    def losses(self, blocks: int) -> np.ndarray:
        """Say for every rank of so many blocks what it loses: uint8 (blocks, V, M)."""
        groups = np.searchsorted(self.boundaries, np.arange(blocks), side="right")
        return np.asarray(self.table, "uint8")[groups]


class ValidBlocks(NamedTuple):
    """Hold which blocks of sequences are no padding, and the plan of every number of them.

    Args:
        valid: float32 (B, N), 1 for a block with anything in it, 0 for one of padding alone.
        losses: uint8 (N + 1, N, V, M): for a sequence of n such blocks, what the block of each
            rank loses; nothing at ranks from n on.
    """

    valid: Tensor
    losses: np.ndarray
