"""The official ViT's initial weights."""

import math
from typing import Any

import keras
from keras import ops

from keras_simmim.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class OneSigmaNormal(keras.initializers.Initializer):
    """A normal distribution cut off at one standard deviation.

    Args:
        stddev: of the normal distribution, and the largest magnitude drawn.
        seed: an integer or `keras.random.SeedGenerator`; a new one if None.

    Source: the official code of Xie et al., "SimMIM", CVPR 2022, which so starts its ViT.

    Example:
    ```python
    weights = OneSigmaNormal(0.02)((768, 768))
    bool(ops.max(ops.abs(weights)) <= 0.02)   # True
    ```
    """

    def __init__(self, stddev: float = 0.02, seed: Any = None) -> None:
        self.stddev = stddev
        self.seed = keras.random.SeedGenerator(seed) if seed is None else seed

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        """Draw an array of this shape."""
        limit = math.erf(1 / math.sqrt(2))
        quantiles = keras.random.uniform(shape, -limit, limit, dtype="float32", seed=self.seed)
        return ops.cast(self.stddev * math.sqrt(2) * ops.erfinv(quantiles), dtype or "float32")

    def get_config(self) -> Config:
        """The constructor's arguments."""
        seed = self.seed if isinstance(self.seed, int) else None
        return {"stddev": self.stddev, "seed": seed}
