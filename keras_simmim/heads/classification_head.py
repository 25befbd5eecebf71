"""Classification head: features to class probabilities."""

import math
from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.layer_norm import LayerNorm


@keras.saving.register_keras_serializable("keras_simmim")
class ClassificationHead(keras.layers.Layer):
    """Pool a feature map, then apply a fully connected layer and softmax: the stage C.

    Args:
        num_classes: number of classes, at least 2.
        pooling: "mean" averages over positions, (B, …, c) → (B, c); "attention" weights them by
            the softmax of their products with a learned vector, zero at first, which is the
            mean; "flatten" keeps every number, as the article's case study does.
        hidden_dim: width of a linear layer before the fully connected one, without an activation
            between them, as in the article's sample network; none if None.
        norm: whether a layer norm follows the pooling, as in fine-tuning.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for fewer than 2 classes, an unknown pooling or a width that is not positive.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    ks.heads.ClassificationHead(10)(keras.random.normal((8, 7, 7, 64))).shape   # (8, 10)
    ```
    """

    def __init__(
        self,
        num_classes: int,
        pooling: str = "mean",
        hidden_dim: int | None = None,
        norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"num_classes must be an integer of at least 2, got {num_classes!r}.")
        if pooling not in ("mean", "attention", "flatten"):
            raise ValueError(f"pooling must be 'mean', 'attention' or 'flatten', got {pooling!r}.")
        if hidden_dim is not None and (not isinstance(hidden_dim, int) or hidden_dim < 1):
            raise ValueError(f"hidden_dim must be a positive integer or None, got {hidden_dim!r}.")
        self.num_classes = num_classes
        self.pooling = pooling
        self.hidden_dim = hidden_dim
        self.norm: Any = None
        if norm:
            self.norm = LayerNorm(epsilon=1e-6, name="norm", dtype=self.dtype_policy)
        self.hidden: Any = None
        if hidden_dim is not None:
            self.hidden = keras.layers.Dense(hidden_dim, name="hidden", dtype=self.dtype_policy)
        self.fully_connected = keras.layers.Dense(
            num_classes, name="fully_connected", dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape) -> None:
        """Create the weights for features of shape (B, …, c)."""
        width = input_shape[-1]
        if self.pooling == "flatten":
            width = 1
            for size in input_shape[1:]:
                width *= size
        self.pooled_width = width
        if self.pooling == "attention":
            self.query = self.add_weight(shape=(width,), initializer="zeros", name="query")
        if self.norm is not None:
            self.norm.build((None, width))
        if self.hidden is not None:
            self.hidden.build((None, width))
        self.fully_connected.build((None, self.hidden_dim or width))

    def call(self, features: Tensor) -> Tensor:
        """Predict float32 probabilities: (B, …, c) → (B, num_classes)."""
        return ops.softmax(self.logits(features))

    def logits(self, features: Tensor) -> Tensor:
        """Score the classes, in float32, before the softmax: (B, …, c) → (B, num_classes).

        Raises:
            ValueError: for features of another size than the head was built for.
        """
        if self.pooling == "flatten":
            if math.prod(features.shape[1:]) != self.pooled_width:
                raise ValueError(
                    f"features must have {self.pooled_width} numbers an example for "
                    f"pooling='flatten', got {tuple(features.shape)}."
                )
            features = ops.reshape(features, (-1, self.pooled_width))
        elif len(features.shape) > 2:
            features = self._pool(ops.reshape(features, (-1, *_positions(features))))
        if self.norm is not None:
            features = self.norm(features)
        if self.hidden is not None:
            features = self.hidden(features)
        return ops.cast(self.fully_connected(features), "float32")

    def _pool(self, features: Tensor) -> Tensor:
        """Pool positions: (B, N, c) → (B, c)."""
        if self.pooling == "mean":
            return ops.mean(features, axis=1)
        query = ops.cast(self.query, features.dtype)
        scores = ops.sum(features * query, axis=-1) / self.pooled_width**0.5
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        return ops.sum(features * ops.cast(weights, features.dtype)[..., None], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, num_classes)."""
        return (input_shape[0], self.num_classes)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "pooling": self.pooling,
            "hidden_dim": self.hidden_dim,
            "norm": self.norm is not None,
        }


def _positions(features: Tensor) -> tuple[int, int]:
    """Return the number of positions and the width of features (B, …, c)."""
    return math.prod(features.shape[1:-1]), features.shape[-1]
