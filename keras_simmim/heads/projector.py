"""Features to the space in which views are compared."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class Projector(keras.layers.Layer):
    """Project pooled features by a perceptron D → h → h → K with batch norm and ReLU.

    Args:
        dim: width K of the projections.
        hidden_dim: width h; min(2048, 4·D) if None.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for widths that are not positive integers.

    Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations",
    ICML 2020, with the two hidden layers of SimCLR v2 and of LeJEPA.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    ks.heads.Projector(16)(keras.random.normal((8, 64))).shape   # (8, 16)
    ```
    """

    def __init__(self, dim: int = 128, hidden_dim: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, size in (("dim", dim), ("hidden_dim", hidden_dim)):
            if size is not None and (not isinstance(size, int) or size < 1):
                raise ValueError(f"{name} must be a positive integer, got {size!r}.")
        self.dim = dim
        self.hidden_dim = hidden_dim

    def build(self, input_shape: Shape) -> None:
        """Create the weights for features (N, D)."""
        features = input_shape[-1]
        hidden = self.hidden_dim or min(2048, 4 * features)
        options: Any = {"dtype": self.dtype_policy}
        # The norms bring the biases of the hidden layers.
        self.dense = [
            keras.layers.Dense(hidden, use_bias=False, name="hidden_1", **options),
            keras.layers.Dense(hidden, use_bias=False, name="hidden_2", **options),
            keras.layers.Dense(self.dim, name="projection", **options),
        ]
        self.norms = [
            keras.layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"norm_{i}", **options)
            for i in (1, 2)
        ]
        widths = (features, hidden, hidden)
        for layer, width in zip([*self.dense, *self.norms], (*widths, hidden, hidden), strict=True):
            layer.build((None, width))

    def call(
        self, features: Tensor, training: bool | None = None, counted: Tensor | None = None
    ) -> Tensor:
        """Project features: (N, D) → (N, K).

        Args:
            features: (N, D).
            training: whether batch norms use and follow the statistics of the batch.
            counted: bool (N,), the rows of which these are statistics; all if None.
        """
        hidden = features
        for dense, norm in zip(self.dense, self.norms, strict=False):
            hidden = ops.relu(norm(dense(hidden), training=training, mask=counted))
        return self.dense[-1](hidden)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (N, K)."""
        return (*input_shape[:-1], self.dim)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "dim": self.dim, "hidden_dim": self.hidden_dim}
