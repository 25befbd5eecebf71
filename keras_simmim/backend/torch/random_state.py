"""The generator that a backend keeps for itself: torch draws dropout without a seed there."""

import torch


def initial_seed() -> int:
    """Return the last seed of torch's generator."""
    return torch.initial_seed()


def seed_step(seed: int, step: int) -> None:
    """Seed torch's generator, so that a training step's draws are a function of (seed, step)."""
    torch.manual_seed((seed + step * 0x9E3779B97F4A7C15) % 2**63)
