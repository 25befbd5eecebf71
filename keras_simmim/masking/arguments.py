"""Arguments of mask generators, checked."""

from collections.abc import Sequence
from typing import Any

from keras_simmim.masking.draws import Draw
from keras_simmim.masking.independent_views import IndependentViews
from keras_simmim.masking.modalities import Modality
from keras_simmim.masking.rounds import Rounds


def check_ratio(ratio: Any) -> float:
    """Return the ratio, or raise ValueError unless it is a number with 0 < ratio < 1."""
    if not isinstance(ratio, int | float) or not 0 < ratio < 1:
        raise ValueError(f"ratio must be a number with 0 < ratio < 1, got {ratio!r}.")
    return float(ratio)


def check_modalities(name: str, modalities: Sequence[Any]) -> tuple[Modality, ...]:
    """Return the modalities, or raise ValueError naming the argument unless each is there once."""
    parts = tuple(modalities)
    if not parts or not all(isinstance(part, Modality) for part in parts):
        raise ValueError(
            f"{name} must hold at least one modality, such as Spatial(), Color() or Texture(), and "
            f"nothing else, got {modalities!r}."
        )
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"{name} must hold each modality once, got {names}.")
    return parts


def check_rounds(ratio: Any, draw: Draw, modalities: int) -> Rounds | IndependentViews | None:
    """Return the rounds, None for a soft draw, or raise ValueError for what cannot go together."""
    kind = type(draw).__name__
    if draw.is_soft:
        if ratio is not None or modalities > 1:
            raise ValueError(
                f"{kind} dims every block in one modality: ratio must be None, got {ratio!r}, and "
                f"modalities must hold one, got {modalities}."
            )
        return None
    if ratio is None:
        raise ValueError(
            "ratio must be a number with 0 < ratio < 1, IndependentViews or Rounds for "
            f"{kind}, got None."
        )
    is_plan = isinstance(ratio, Rounds | IndependentViews)
    rounds = ratio if is_plan else Rounds(check_ratio(ratio), iterations=1)
    rounds.check_modalities(modalities)
    return rounds


def check_block_size(block_size: Any) -> tuple[int, int]:
    """Return (height, width), or raise ValueError unless these are positive integers."""
    pair: Any = block_size if isinstance(block_size, tuple | list) else (block_size,) * 2
    sizes = tuple(pair)
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(
            f"block_size must be a positive integer or two of them, got {block_size!r}."
        )
    return sizes
