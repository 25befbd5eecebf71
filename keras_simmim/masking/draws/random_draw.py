"""Blocks at random."""

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.layers.hashing import random_ranks
from keras_simmim.masking.draws.draw import Draw, check_seed


@keras.saving.register_keras_serializable("keras_simmim")
class RandomDraw(Draw):
    """Hide blocks at random, others at every step.

    The order is a function of (seed, step, image, block), the same on every backend. Images are
    numbered within the batch of all replicas, so that no two replicas hide alike.

    Args:
        seed: 0 ≤ seed < 2³¹.

    Raises:
        ValueError: for a seed out of range.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    draw = ks.masking.RandomDraw(seed=7)
    draw.rank_blocks(ops.zeros((8, 6, 6, 3)), step=0, grid=(3, 3)).shape   # (8, 9)
    ```
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = check_seed(seed)

    def rank_blocks(self, tensor: Tensor, step: Tensor | int, grid: tuple[int, int]) -> Tensor:
        """Put the blocks of each image in a random order: int32 (B, N)."""
        return random_ranks(self.seed, step, ops.shape(tensor)[0], grid[0] * grid[1])

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"seed": self.seed}
