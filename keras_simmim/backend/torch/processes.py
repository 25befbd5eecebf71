"""Which of several processes this is, on torch: those of its process group."""

from collections.abc import Sequence
from typing import Any

from torch import distributed


def count() -> int:
    """Return the number of processes that train together; 1 alone."""
    return distributed.get_world_size() if _is_group() else 1


def index() -> int:
    """Return the number of this process among them, from 0."""
    return distributed.get_rank() if _is_group() else 0


def gathered(numbers: Sequence[int]) -> list[list[int]]:
    """Return the numbers that each process has, below 2³¹; all must ask."""
    rows: list[Any] = [list(numbers)] * count()
    if count() > 1:
        distributed.all_gather_object(rows, list(numbers))
    return rows


def wait() -> None:
    """Wait until all processes are here."""
    gathered([0])


def share_weights(variables: Sequence[Any]) -> None:
    """Give all processes the values that process 0 has."""
    if count() > 1:
        for variable in variables:
            distributed.broadcast(variable.value.detach(), 0)


def _is_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()
