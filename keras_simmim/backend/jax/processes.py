"""Which of several processes this is, on JAX: those of `jax.distributed`."""

import jax


def count() -> int:
    """Return the number of processes that train together; 1 alone."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def index() -> int:
    """Return the number of this process among them, from 0."""
    return jax.process_index() if jax.distributed.is_initialized() else 0
