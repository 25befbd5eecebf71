"""Initializers of weights."""

import math

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class TruncatedNormal(keras.initializers.TruncatedNormal):
    """Draw from a normal distribution without its tails, the same numbers on every backend.

    NumPy draws them, since JAX compiles a draw for each shape anew, four seconds for a ViT-Tiny.

    Args:
        stddev: of the whole normal distribution.
        cutoff: largest magnitude drawn, in standard deviations; above 0. Keras has 2, the official
            SimMIM 1 for its ViT and 100 for the kernels of its Swin.
        seed: an integer; a new one if None.

    Raises:
        ValueError: for a cut-off that is not above 0.

    Source: the official code of Xie et al., "SimMIM", CVPR 2022.

    Example:
    ```python
    import keras
    from keras_simmim.layers.initialization import TruncatedNormal

    weights = TruncatedNormal(0.02, cutoff=1)((768, 768))
    float(keras.ops.max(keras.ops.abs(weights))) <= 0.02   # True
    ```
    """

    def __init__(self, stddev: float = 0.02, cutoff: float = 2.0, seed: int | None = None) -> None:
        if not cutoff > 0:
            raise ValueError(f"cutoff must be above 0, got {cutoff!r}.")
        super().__init__(stddev=stddev, seed=seed)
        self.cutoff = cutoff

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        """Draw an array of this shape."""
        generator = np.random.default_rng(self.seed)
        drawn = generator.standard_normal(math.prod(shape), dtype="float32")
        while (beyond := np.abs(drawn) > self.cutoff).any():
            drawn[beyond] = generator.standard_normal(beyond.sum(), dtype="float32")
        return ops.convert_to_tensor(self.stddev * drawn.reshape(shape), dtype or "float32")

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        config = super().get_config()
        return {name: config[name] for name in ("stddev", "seed")} | {"cutoff": self.cutoff}
