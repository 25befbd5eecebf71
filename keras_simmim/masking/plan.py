"""How many blocks lose what."""

import itertools
from typing import NamedTuple


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
