"""Checks of arguments: each returns the value in its canonical type or says what is accepted."""

import math
import numbers
import os
from collections.abc import Sequence
from typing import Any

import numpy as np


def as_integer(name: str, value: Any, minimum: int | None = None) -> int:
    """Return `value` as an int of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}.")
    return int(value)


def as_seed(value: Any) -> int:
    """Return a seed that fits the 64 bits of TensorFlow's stateless operations."""
    seed = as_integer("seed", value)
    if not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed must fit into 64 bits, got {seed}.")
    return seed


def as_flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}.")
    return value


def as_choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return `value` if it is one of `choices`."""
    if isinstance(value, bool) or value not in choices:
        accepted = " or ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be {accepted}, got {value!r}.")
    return value


def as_path(name: str, value: Any) -> str:
    """Return a path as text."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path, got {value!r}.")
    return os.fsdecode(value)


def as_size(name: str, value: Any) -> tuple[int, int]:
    """Return `(height, width)` in pixels from one integer or from a pair."""
    pair = (value,) * 2 if isinstance(value, numbers.Integral) else value
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise TypeError(f"{name} must be an integer or a pair (height, width), got {value!r}.")
    height, width = (as_integer(name, side, minimum=1) for side in pair)
    return height, width


def as_interval(name: str, value: Any, maximum: float = math.inf) -> tuple[float, float]:
    """Return `(low, high)` with 0 < low <= high <= maximum."""
    is_pair = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    if not is_pair or not all(isinstance(bound, numbers.Real) for bound in value):
        raise TypeError(f"{name} must be a pair of numbers (low, high), got {value!r}.")
    low, high = (float(bound) for bound in value)
    if not 0 < low <= high <= maximum or math.isinf(high):
        upper = "" if math.isinf(maximum) else f" <= {maximum:g}"
        raise ValueError(f"{name} must satisfy 0 < low <= high{upper}, got {value!r}.")
    return low, high


def as_value_range(
    value: Any, minimum: float = -math.inf, maximum: float = math.inf
) -> tuple[float, float]:
    """Return `(low, high)` with minimum <= low < high <= maximum, both finite."""
    is_pair = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    if not is_pair or not all(isinstance(bound, numbers.Real) for bound in value):
        raise TypeError(f"value_range must be a pair of numbers (low, high), got {value!r}.")
    low, high = (float(bound) for bound in value)
    if not (minimum <= low < high <= maximum and math.isfinite(high - low)):
        lower = "" if math.isinf(minimum) else f"{minimum:g} <= "
        upper = "" if math.isinf(maximum) else f" <= {maximum:g}"
        raise ValueError(f"value_range must satisfy {lower}low < high{upper}, got {value!r}.")
    return low, high


def as_names(name: str, value: Any) -> list[str]:
    """Return a list of different texts."""
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str)
    if not is_sequence or not all(isinstance(text, str) for text in value):
        raise TypeError(f"{name} must be a sequence of strings, got {value!r}.")
    if len(set(value)) < len(value):
        raise ValueError(f"{name} must be different from each other, got {value!r}.")
    return list(value)


def as_labels(labels: Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    """Return `count` labels as int32 (count,)."""
    classes = np.asarray(labels)
    if classes.shape != (count,):
        raise ValueError(f"labels must be {count} integers, got the shape {classes.shape}.")
    if not np.issubdtype(classes.dtype, np.integer):
        raise TypeError(f"labels must be integers, got {classes.dtype}.")
    return classes.astype(np.int32)
