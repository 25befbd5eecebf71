"""Several rounds, each of which hides every modality, on different blocks."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.masking.arguments import check_modalities
from keras_simmim.masking.color_masking import ColorMasking
from keras_simmim.masking.draws import RandomDraw
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Modality
from keras_simmim.masking.rounds import Rounds
from keras_simmim.masking.spatial_masking import SpatialMasking
from keras_simmim.masking.texture_masking import TextureMasking


@keras.saving.register_keras_serializable("keras_simmim")
class IterativeMasking(MaskGenerator):
    """Mask in T rounds, each a view; in a round every block loses at most one modality.

    Counts are exact: the blocks of a round are shared out among the modalities by largest
    remainder. Short for a `MaskGenerator` of these modalities, `Rounds` and a `RandomDraw`.

    Args:
        maskings: the modalities, one of each: `Spatial()`, `Color()`, `Texture()`, or, for their
            component or band alone, `SpatialMasking()`, `ColorMasking()`, `TextureMasking()`.
        iterations: number of rounds T, which is the number of views.
        schedule: "cumulative": round t hides ratio_t of the blocks, rising evenly from ratio[0]
            in the first round to ratio[1] in the last (a single round hides ratio[1]); what was
            hidden stays hidden, from the same modality. "disjoint": every round hides other
            blocks, ratio of them in all rounds together.
        ratio: share of the blocks, (first, last) with 0 < first ≤ last < 1. For "disjoint" one
            number above 0 and at most 1, or a pair, of which the last counts.
        shares: for each masking its share of what is hidden, positive numbers of any sum; equal
            if None.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        seed: 0 ≤ seed < 2³¹; masks are a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range, a modality given twice, a masking with a ratio,
            block size or seed of its own, or, when built, for so few blocks that a round or a
            modality would hide none.

    Source: "Self-supervised Modeling with Multi-modal Iterative Masking", the stage G.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    modalities = [ks.masking.Spatial(), ks.masking.Color("chroma"), ks.masking.Texture("low")]
    masking = ks.masking.IterativeMasking(modalities, ratio=(0.4, 0.75), block_size=8)
    views, hidden = masking(keras.random.normal((2, 32, 32, 3)), step=3)
    views.shape, hidden.shape   # (2, 3, 32, 32, 3), (2, 3, 4, 4, 3)
    ```
    """

    def __init__(
        self,
        maskings: Sequence[Modality | MaskGenerator],
        iterations: int = 3,
        schedule: str = "cumulative",
        ratio: float | tuple[float, float] = (0.4, 0.75),
        shares: Sequence[float] | None = None,
        block_size: int | tuple[int, int] = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        parts = list(maskings)
        for part in parts:
            _check_nothing_is_ignored(part)
        modalities = check_modalities("maskings", _modalities_of(parts))
        rounds = Rounds(ratio, iterations, schedule, None if shares is None else tuple(shares))
        super().__init__(
            modalities=modalities,
            draw=RandomDraw(seed),
            ratio=rounds,
            block_size=block_size,
            **kwargs,
        )
        self.iterations = iterations
        self.schedule = schedule
        self.ratio = rounds.ratio
        self.shares = rounds.shares
        self.seed = seed

    def get_config(self) -> Config:
        """Return the constructor's arguments, the maskings as modalities."""
        return {
            **keras.layers.Layer.get_config(self),
            "maskings": [keras.saving.serialize_keras_object(part) for part in self.modalities],
            "iterations": self.iterations,
            "schedule": self.schedule,
            "ratio": self.ratio,
            "shares": self.shares,
            "block_size": self.block_size,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: Config) -> "IterativeMasking":
        """Make a generator of this configuration.

        Files of version 0.1.0 have maskings whose ratio, block size and seed never counted.
        """
        maskings = [keras.saving.deserialize_keras_object(part) for part in config["maskings"]]
        return super().from_config({**config, "maskings": _modalities_of(maskings)})


_SHORT_FORMS = (SpatialMasking, ColorMasking, TextureMasking)


def _modalities_of(maskings: Sequence[Any]) -> list[Any]:
    """Take the modality out of every short form, and leave the rest as it is."""
    return [part.modalities[0] if isinstance(part, _SHORT_FORMS) else part for part in maskings]


def _check_nothing_is_ignored(masking: Any) -> None:
    """Raise ValueError for a short form whose own ratio, block size or seed was set."""
    if not isinstance(masking, _SHORT_FORMS):
        return
    default = type(masking)()
    for name in ("ratio", "block_size", "seed"):
        given, usual = getattr(masking, name), getattr(default, name)
        if given != usual:
            raise ValueError(
                f"{type(masking).__name__} within IterativeMasking got {name}={given!r}, which "
                f"would not count: set {name} on IterativeMasking itself."
            )
