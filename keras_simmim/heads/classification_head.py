"""Features to class probabilities: softmax(FC(·))."""

from typing import Any

import keras
from keras import ops

from keras_simmim.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class ClassificationHead(keras.layers.Layer):
    """Pools a feature map, then one fully connected layer and softmax: the stage C.

    Args:
        num_classes: number of classes, at least 2.
        pooling: "mean" averages over positions, (B, …, c) → (B, c); "flatten" keeps every
            number, as the article's case study does.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for fewer than 2 classes or an unknown pooling.

    Example:
    ```python
    ClassificationHead(10)(keras.random.normal((8, 7, 7, 64))).shape   # (8, 10), rows sum to 1
    ```
    """

    def __init__(self, num_classes: int, pooling: str = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"num_classes must be an integer of at least 2, got {num_classes!r}.")
        if pooling not in ("mean", "flatten"):
            raise ValueError(f"pooling must be 'mean' or 'flatten', got {pooling!r}.")
        self.num_classes = num_classes
        self.pooling = pooling
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
        self.fully_connected.build((None, width))

    def call(self, features: Tensor) -> Tensor:
        """(B, …, c) → float32 probabilities (B, num_classes)."""
        return ops.softmax(self.logits(features))

    def logits(self, features: Tensor) -> Tensor:
        """(B, …, c) → float32 scores before the softmax, (B, num_classes)."""
        if self.pooling == "flatten":
            width = self.fully_connected.kernel.shape[0]
            features = ops.reshape(features, (-1, width))
        elif len(features.shape) > 2:
            features = ops.mean(features, axis=tuple(range(1, len(features.shape) - 1)))
        return ops.cast(self.fully_connected(features), "float32")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, num_classes)."""
        return (input_shape[0], self.num_classes)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "pooling": self.pooling,
        }
