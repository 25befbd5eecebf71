"""Iterative masking: several rounds, each of which hides every modality, on different blocks."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_simmim.backend.types import Config
from keras_simmim.masking.block_masking import BlockMasking
from keras_simmim.masking.learned_masking import LearnedMasking
from keras_simmim.masking.mask_generator import MaskGenerator, Plan, hidden_count
from keras_simmim.masking.soft_masking import SoftMasking


@keras.saving.register_keras_serializable("keras_simmim")
class IterativeMasking(MaskGenerator):
    """Masks in T rounds, each a view; in a round every block loses at most one modality.

    Counts are exact: the blocks of a round are shared out among the modalities by largest
    remainder. Only the bases of `maskings` count here (the component, the band), not their own
    ratios, block sizes and seeds.

    Args:
        maskings: the modalities, one of each: `SpatialMasking`, `ColorMasking`,
            `TextureMasking`.
        iterations: number of rounds T, which is the number of views.
        schedule: "cumulative": round t hides ratio_t of the blocks, rising evenly from ratio[0]
            in the first round to ratio[1] in the last (a single round hides ratio[1]); what was
            hidden stays hidden, from the same modality. "disjoint": every round hides other
            blocks, ratio[1] of them in all rounds together; ratio[0] plays no part.
        ratio: (first, last) share of the blocks: 0 < first ≤ last < 1, or last ≤ 1 for
            "disjoint".
        shares: for each masking its share of what is hidden, positive numbers of any sum; equal
            if None.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        seed: 0 ≤ seed < 2³¹; masks are a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range, a modality given twice, or, when built, for so
            few blocks that a round or a modality would hide none.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the stage G.

    Example:
    ```python
    modalities = [SpatialMasking(), ColorMasking("chroma"), TextureMasking("low")]
    masking = IterativeMasking(modalities, iterations=3, ratio=(0.4, 0.75), block_size=8)
    views, hidden = masking(keras.random.normal((2, 32, 32, 3)), step=3)
    views.shape, hidden.shape   # (2, 3, 32, 32, 3), (2, 3, 4, 4, 3)
    ```
    """

    def __init__(
        self,
        maskings: Sequence[BlockMasking],
        iterations: int = 3,
        schedule: str = "cumulative",
        ratio: tuple[float, float] = (0.4, 0.75),
        shares: Sequence[float] | None = None,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(block_size, seed, **kwargs)
        if not isinstance(iterations, int) or iterations < 1:
            raise ValueError(f"iterations must be an integer of at least 1, got {iterations!r}.")
        if schedule not in ("cumulative", "disjoint"):
            raise ValueError(f"schedule must be 'cumulative' or 'disjoint', got {schedule!r}.")
        self.maskings = _checked_maskings(maskings)
        self.iterations = self.views = iterations
        self.schedule = schedule
        self.ratio = _checked_ratios(ratio, schedule)
        self.shares = _checked_shares(shares, len(self.maskings))

    def modalities(self) -> tuple[Any, ...]:
        """The maskings."""
        return tuple(self.maskings)

    def plan(self, blocks: int) -> Plan:
        """A group of blocks for each round and modality: those that it is the first to hide."""
        counts = round_counts(self.round_totals(blocks), self.shares)
        added = np.diff(counts, axis=0, prepend=0)
        rounds, modalities = added.shape
        table = np.zeros((rounds * modalities + 1, rounds, modalities))
        for group, (round_, modality) in enumerate(np.ndindex(rounds, modalities)):
            last = rounds if self.schedule == "cumulative" else round_ + 1
            table[group, round_:last, modality] = 1
        lost = np.einsum("g,gtm->tm", [*added.ravel(), 0], table)
        if not (lost.any(axis=0).all() and lost.any(axis=1).all()):
            raise ValueError(
                f"{blocks} blocks are too few for {rounds} rounds of {modalities} modalities at "
                f"ratio={self.ratio}: a round or a modality would hide none; accepted are smaller "
                "blocks, fewer rounds or a larger ratio."
            )
        rows = tuple(tuple(map(tuple, group)) for group in table.tolist())
        return tuple(added.ravel().tolist()), rows

    def round_totals(self, blocks: int) -> list[int]:
        """How many of N blocks have been hidden by the end of each round."""
        first, last = self.ratio
        if self.schedule == "disjoint":
            total = hidden_count(last, blocks)
            return np.cumsum(largest_remainder(total, [1] * self.views)).tolist()
        steps = max(self.views - 1, 1)
        ratios = [last - (last - first) * left / steps for left in range(self.views)][::-1]
        return [hidden_count(ratio, blocks) for ratio in ratios]

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "maskings": [keras.saving.serialize_keras_object(part) for part in self.maskings],
            "iterations": self.iterations,
            "schedule": self.schedule,
            "ratio": self.ratio,
            "shares": self.shares,
        }

    @classmethod
    def from_config(cls, config: Config) -> "IterativeMasking":
        """A generator of this configuration."""
        maskings = [keras.saving.deserialize_keras_object(part) for part in config["maskings"]]
        return cls(**{**config, "maskings": maskings})


def largest_remainder(total: int, shares: Sequence[float]) -> np.ndarray:
    """Share out `total` things in proportion to `shares`, in whole numbers that add up.

    Each gets the whole part of its due; what is left goes to the largest fractions, the earlier
    first among equals.

    Example:
    ```python
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
    paradox), the modality keeps its count and the most favoured others give way.
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


def _checked_maskings(maskings: Sequence[BlockMasking]) -> list[BlockMasking]:
    parts = list(maskings)
    kinds = (LearnedMasking, SoftMasking)
    if not parts or any(
        not isinstance(part, BlockMasking) or isinstance(part, kinds) for part in parts
    ):
        raise ValueError(
            "maskings must hold at least one of SpatialMasking, ColorMasking and TextureMasking, "
            f"got {maskings!r}."
        )
    names = [part.modality for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"maskings must hold each modality once, got {names}.")
    return parts


def _checked_ratios(ratio: tuple[float, float], schedule: str) -> tuple[float, float]:
    pair = tuple(ratio) if isinstance(ratio, tuple | list) else ()
    valid = len(pair) == 2 and all(isinstance(value, int | float) for value in pair)
    highest_allowed = valid and (pair[1] < 1 or (schedule == "disjoint" and pair[1] == 1))
    if not highest_allowed or not 0 < pair[0] <= pair[1]:
        bound = "≤ 1" if schedule == "disjoint" else "< 1"
        raise ValueError(
            f"ratio must be (first, last) with 0 < first ≤ last {bound}, got {ratio!r}."
        )
    return float(pair[0]), float(pair[1])


def _checked_shares(shares: Sequence[float] | None, count: int) -> tuple[float, ...]:
    values = (1.0,) * count if shares is None else tuple(shares)
    if len(values) != count or not all(0 < value < np.inf for value in values):
        raise ValueError(
            f"shares must be {count} positive numbers, one for each masking, got {shares!r}."
        )
    return tuple(float(value) for value in values)
