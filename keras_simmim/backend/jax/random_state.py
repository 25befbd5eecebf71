"""The generator that a backend keeps for itself: JAX has none that Keras draws from."""


def initial_seed() -> int:
    """Return 0: there is nothing to remember."""
    return 0


def seed_step(seed: int, step: int) -> None:
    """Do nothing: all draws are a function of their own seeds."""
