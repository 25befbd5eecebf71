"""How much is hidden in each of several views that are drawn anew."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_simmim.backend.types import Config
from keras_simmim.masking.plan import Plan
from keras_simmim.masking.rounds import check_shares
from keras_simmim.masking.sharing import hidden_count, largest_remainder


@keras.saving.register_keras_serializable("keras_simmim")
@dataclasses.dataclass(frozen=True)
class IndependentViews:
    """Mask every view of an image by a draw of its own, for views that are to agree.

    Counts are exact in each view. An image's draws are those of as many images.

    Args:
        ratio: share of the blocks that a view hides, 0 < ratio < 1, or one share for each view.
        count: number of views V, at least 1.
        apart: whether view v loses modality v alone, of V modalities; else each view loses all
            modalities, each on blocks of its own.
        shares: for each modality its share of what a view hides, positive numbers of any sum;
            equal if None. Not for views that are `apart`.

    Raises:
        ValueError: for arguments out of range.

    Source: the views of one image that lost different modalities, of "Self-supervised Modeling
    with Multi-modal Iterative Masking"; two masks of one image are the views of Mishra et al.,
    "A Simple, Efficient and Scalable Contrastive Masked Autoencoder", 2022.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    views = ks.masking.IndependentViews((0.6, 0.4), apart=True)
    masking = ks.masking.MaskGenerator(
        [ks.masking.Spatial(), ks.masking.Color()], ks.masking.RandomDraw(), views, block_size=2
    )
    _, hidden = masking(keras.random.normal((8, 10, 10, 3)))
    keras.ops.convert_to_numpy(hidden[0]).sum((1, 2)).tolist()   # [[15.0, 0.0], [0.0, 10.0]]
    ```
    """

    ratio: float | tuple[float, ...] = 0.75
    count: int = 2
    apart: bool = False
    shares: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the arguments, and take lists, as files have them, for tuples."""
        if not isinstance(self.count, int) or self.count < 1:
            raise ValueError(f"count must be an integer of at least 1, got {self.count!r}.")
        ratios: Any = self.ratio if isinstance(self.ratio, tuple | list) else (self.ratio,)
        numbers = all(isinstance(value, int | float) and 0 < value < 1 for value in ratios)
        if not numbers or len(ratios) not in (1, self.count):
            raise ValueError(
                f"ratio must be a number with 0 < ratio < 1, or {self.count} of them, one for "
                f"each view, got {self.ratio!r}."
            )
        if len(ratios) > 1:
            object.__setattr__(self, "ratio", tuple(map(float, ratios)))
        if self.shares is not None:
            if self.apart:
                raise ValueError(f"shares must be None for apart=True, got {self.shares!r}.")
            object.__setattr__(self, "shares", tuple(map(float, self.shares)))

    @property
    def views(self) -> int:
        """Give the number of views."""
        return self.count

    @property
    def draws(self) -> int:
        """Give the number of draws: one for each view."""
        return self.count

    @property
    def hides_alike(self) -> bool:
        """Tell whether every view loses as many blocks as any other."""
        return len(set(np.atleast_1d(self.ratio).tolist())) == 1

    def check_modalities(self, modalities: int) -> None:
        """Raise ValueError unless so many modalities can be hidden like this."""
        check_shares(self.shares, modalities)
        if self.apart and modalities != self.count:
            raise ValueError(
                f"apart=True needs as many views as modalities, got count={self.count} for "
                f"{modalities} modalities."
            )

    def plan(self, blocks: int, modalities: int, few: bool = False) -> Plan:
        """Say for every rank of a block what it loses in each view.

        Args:
            blocks: number of blocks.
            modalities: number of modalities.
            few: whether there may be so few blocks that a modality hides none.

        Raises:
            ValueError: for so few blocks, otherwise.
        """
        ratios = np.broadcast_to(np.asarray(self.ratio, "float64"), (self.count,))
        counts = np.zeros((self.count, modalities), int)
        for view, total in enumerate(hidden_count(ratio, blocks) for ratio in ratios):
            if self.apart:
                counts[view, view] = total
            else:
                counts[view] = largest_remainder(total, self.shares or (1.0,) * modalities)
        if not few and (counts.sum(axis=0) == 0).any():
            raise ValueError(
                f"{blocks} blocks are too few for {modalities} modalities at ratio={self.ratio}: "
                "one would hide none; accepted are smaller blocks or a larger ratio."
            )
        ends = np.cumsum(counts, axis=1)
        bounds = np.unique(np.append(ends, 0))
        table = np.zeros((len(bounds), self.count, modalities))
        for view, modality in np.ndindex(*counts.shape):
            end = ends[view, modality]
            table[(bounds < end) & (bounds >= end - counts[view, modality]), view, modality] = 1
        rows = tuple(tuple(map(tuple, group)) for group in table.tolist())
        return Plan(tuple(np.diff(bounds).tolist()), rows)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: Config) -> "IndependentViews":
        """Make views of this configuration."""
        return cls(**config)
