"""Which of several processes this is, on torch: those of its process group."""

from torch import distributed


def count() -> int:
    """Return the number of processes that train together; 1 alone."""
    return distributed.get_world_size() if _is_group() else 1


def index() -> int:
    """Return the number of this process among them, from 0."""
    return distributed.get_rank() if _is_group() else 0


def _is_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()
