"""Which of several processes this is, on JAX: those of `jax.distributed`."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils


def count() -> int:
    """Return the number of processes that train together; 1 alone."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def index() -> int:
    """Return the number of this process among them, from 0."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def gathered(numbers: Sequence[int]) -> list[list[int]]:
    """Return the numbers that each process has, below 2³¹; all must ask."""
    if count() == 1:
        return [list(numbers)]
    return multihost_utils.process_allgather(np.array(numbers, "int32")).tolist()


def wait() -> None:
    """Wait until all processes are here."""
    gathered([0])


def share_weights(variables: Sequence[Any]) -> None:
    """Give all processes the values that process 0 has."""
    if count() == 1:
        return
    whole = [each for each in variables if each.value.is_fully_replicated]
    own = [np.asarray(each.value.addressable_data(0)) for each in whole]
    for variable, value in zip(whole, multihost_utils.broadcast_one_to_all(own), strict=True):
        variable.assign(np.asarray(value))
