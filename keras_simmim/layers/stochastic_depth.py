"""Which blocks each image skips while training."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.hashing import random_uniform

# Keeps these draws apart from the masks', which hash the same words.
_SALT = 0x44726F70


@keras.saving.register_keras_serializable("keras_simmim")
class StochasticDepth(keras.layers.Layer):
    """Draw which residual branches each image keeps; the kept ones grow by 1 / (1 − rate).

    The rate of a block rises linearly from 0 in the first to `rate` in the last. A block's two
    branches are drawn apart. The draw is a function of (seed, step, image), images numbered within
    the batch of all replicas, and the layer saves its own step, so that a resumed run repeats the
    uninterrupted one.

    Args:
        rate: probability that an image skips a branch of the last block, 0 ≤ rate < 1.
        num_blocks: number of blocks.
        seed: of the draw.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a rate out of range.

    Source: Huang et al., "Deep networks with stochastic depth", ECCV 2016, equation 4.

    Example:
    ```python
    from keras_simmim.layers.stochastic_depth import StochasticDepth

    layer = StochasticDepth(0.1, num_blocks=12)
    layer.build()
    layer.factors(batch_size=8).shape   # (12, 2, 8): 0 or 1 / (1 − rate)
    ```
    """

    def __init__(self, rate: float, num_blocks: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"drop_path_rate must be at least 0 and below 1, got {rate!r}.")
        self.rate = float(rate)
        self.num_blocks = num_blocks
        self.seed = seed
        self.keep = np.repeat(1 - np.linspace(0, rate, num_blocks, dtype="float32"), 2)

    def build(self, input_shape: Shape | None = None) -> None:
        """Create the step, if anything is ever skipped."""
        if self.rate > 0:
            self.step = self.add_weight(
                shape=(),
                dtype="int32",
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
                name="step",
            )
        self.built = True

    def factors(self, batch_size: Tensor | int) -> Tensor:
        """Draw the next step's factors of every block's two branches: (blocks, 2, B)."""
        drawn = random_uniform(self.seed ^ _SALT, self.step, batch_size, len(self.keep))
        self.step.assign_add(1)
        keep = ops.convert_to_tensor(self.keep)
        factors = ops.cast(drawn < keep, "float32") / keep
        return ops.reshape(ops.transpose(factors), (self.num_blocks, 2, -1))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "rate": self.rate,
            "num_blocks": self.num_blocks,
            "seed": self.seed,
        }
