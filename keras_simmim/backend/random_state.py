"""The generator that a backend keeps for itself: on torch, dropout without a seed draws there."""

import keras


def initial_seed() -> int:
    """What torch's generator was last seeded with; 0 on backends that have none."""
    if keras.backend.backend() != "torch":
        return 0
    import torch

    return torch.initial_seed()


def seed_step(seed: int, step: int) -> None:
    """Make what is drawn in a training step a function of (seed, step)."""
    if keras.backend.backend() != "torch":
        return
    import torch

    torch.manual_seed((seed + step * 0x9E3779B97F4A7C15) % 2**63)
