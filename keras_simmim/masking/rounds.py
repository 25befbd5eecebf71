"""How much is hidden in each of several rounds."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_simmim.backend.types import Config
from keras_simmim.masking.plan import Plan
from keras_simmim.masking.sharing import hidden_count, largest_remainder, round_counts


@keras.saving.register_keras_serializable("keras_simmim")
@dataclasses.dataclass(frozen=True)
class Rounds:
    """Hide blocks in T rounds, each a view; in a round every block loses at most one modality.

    Counts are exact: the blocks of a round are shared out among the modalities by largest
    remainder.

    Args:
        ratio: share of the blocks. For "cumulative" rounds a pair (first, last) with
            0 < first ≤ last < 1, or one number for a single round. For "disjoint" rounds the share
            of all rounds together, above 0 and at most 1, or a pair, of which the last counts.
        iterations: number of rounds T.
        schedule: "cumulative": round t hides ratio_t of the blocks, rising evenly from the first
            ratio to the last (a single round hides the last); what was hidden stays hidden, from
            the same modality. "disjoint": every round hides other blocks.
        shares: for each modality its share of what is hidden, positive numbers of any sum; equal
            if None.

    Raises:
        ValueError: for arguments out of range.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the stage G.

    Example:
    ```python
    import keras_simmim as ks

    rounds = ks.masking.Rounds((0.4, 0.75), iterations=3)
    rounds.totals(20)   # [8, 12, 15] of 20 blocks
    ```
    """

    ratio: float | tuple[float, float] = (0.4, 0.75)
    iterations: int = 3
    schedule: str = "cumulative"
    shares: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the arguments, and take lists, as files have them, for tuples."""
        if not isinstance(self.iterations, int) or self.iterations < 1:
            raise ValueError(
                f"iterations must be an integer of at least 1, got {self.iterations!r}."
            )
        if self.schedule not in ("cumulative", "disjoint"):
            raise ValueError(f"schedule must be 'cumulative' or 'disjoint', got {self.schedule!r}.")
        ratio = _checked_ratio(self.ratio, self.iterations, self.schedule)
        object.__setattr__(self, "ratio", ratio)
        if self.shares is not None:
            object.__setattr__(self, "shares", tuple(map(float, self.shares)))

    @property
    def views(self) -> int:
        """Give the number of views: one for each round."""
        return self.iterations

    @property
    def draws(self) -> int:
        """Give the number of draws: all rounds are made of one."""
        return 1

    @property
    def hides_alike(self) -> bool:
        """Tell whether every view loses as many blocks as any other."""
        return self.iterations == 1

    def check_modalities(self, modalities: int) -> None:
        """Raise ValueError unless so many modalities can be hidden like this."""
        check_shares(self.shares, modalities)

    def totals(self, blocks: int) -> list[int]:
        """Count how many of N blocks have been hidden by the end of each round."""
        ratio: Any = self.ratio
        first, last = ratio if isinstance(ratio, tuple) else (ratio, ratio)
        if self.schedule == "disjoint":
            total = hidden_count(last, blocks)
            return np.cumsum(largest_remainder(total, [1] * self.iterations)).tolist()
        steps = max(self.iterations - 1, 1)
        left = range(self.iterations - 1, -1, -1)
        return [hidden_count(last - (last - first) * rest / steps, blocks) for rest in left]

    def plan(self, blocks: int, modalities: int, few: bool = False) -> Plan:
        """Make a group of blocks for each round and modality: those it is the first to hide.

        Args:
            blocks: number of blocks.
            modalities: number of modalities.
            few: whether there may be so few blocks that a round or a modality hides none.

        Raises:
            ValueError: for so few blocks, otherwise.
        """
        shares = self.shares or (1.0,) * modalities
        added = np.diff(round_counts(self.totals(blocks), shares), axis=0, prepend=0)
        rounds = self.iterations
        table = np.zeros((rounds * modalities + 1, rounds, modalities))
        for group, (round_, modality) in enumerate(np.ndindex(rounds, modalities)):
            last = rounds if self.schedule == "cumulative" else round_ + 1
            table[group, round_:last, modality] = 1
        lost = np.einsum("g,gtm->tm", [*added.ravel(), 0], table)
        if not few and not (lost.any(axis=0).all() and lost.any(axis=1).all()):
            raise ValueError(
                f"{blocks} blocks are too few for {rounds} rounds of {modalities} modalities at "
                f"ratio={self.ratio}: a round or a modality would hide none; accepted are smaller "
                "blocks, fewer rounds or a larger ratio."
            )
        rows = tuple(tuple(map(tuple, group)) for group in table.tolist())
        return Plan(tuple(added.ravel().tolist()), rows)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: Config) -> "Rounds":
        """Make rounds of this configuration."""
        return cls(**config)


def check_shares(shares: tuple[float, ...] | None, modalities: int) -> None:
    """Raise ValueError unless there is a positive share for each of so many modalities."""
    if shares is None:
        return
    if len(shares) != modalities or not all(0 < share < np.inf for share in shares):
        raise ValueError(
            f"shares must be {modalities} positive numbers, one for each modality, got {shares!r}."
        )


def _checked_ratio(ratio: Any, iterations: int, schedule: str) -> float | tuple[float, ...]:
    """Return a number or a pair, or raise ValueError unless these rounds take it."""
    disjoint = schedule == "disjoint"
    takes_number = disjoint or iterations == 1
    is_pair = isinstance(ratio, list | tuple) and len(ratio) == 2
    values = tuple(ratio) if is_pair else (ratio,)
    numbers = all(isinstance(value, int | float) for value in values)
    in_order = numbers and 0 < values[0] <= values[-1]
    in_range = in_order and (values[-1] < 1 or (disjoint and values[-1] == 1))
    if not in_range or not (is_pair or takes_number):
        bound = "≤ 1" if disjoint else "< 1"
        number = f"a number with 0 < ratio {bound} or " if takes_number else ""
        raise ValueError(
            f"ratio must be {number}(first, last) with 0 < first ≤ last {bound}, got {ratio!r}."
        )
    return tuple(map(float, values)) if is_pair else float(ratio)
