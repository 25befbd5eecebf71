"""A norm for each map of a pyramid."""

from typing import Any

import keras

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.necks.neck import Neck


@keras.saving.register_keras_serializable("keras_simmim")
class NormedMaps(Neck):
    """Normalize every position of every map by a layer norm of its level.

    Args:
        epsilon: of the norms.
        **kwargs: passed to `keras.layers.Layer`.

    Source: the backbones of Swin Transformer's object detection, ICCV 2021, which norm the
    output of each stage.

    Example:
    ```python
    import keras
    from keras_simmim.necks import NormedMaps

    maps = [keras.random.normal((2, 8, 12, 4)), keras.random.normal((2, 4, 6, 8))]
    [each.shape for each in NormedMaps()(maps)]   # [(2, 8, 12, 4), (2, 4, 6, 8)]
    ```
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: list[Shape]) -> None:
        """Create a norm for each map."""
        self.norms = [
            LayerNorm(epsilon=self.epsilon, name=f"norm_{level}", dtype=self.dtype_policy)
            for level in range(len(input_shape))
        ]
        for norm, shape in zip(self.norms, input_shape, strict=True):
            norm.build(shape)

    def call(self, maps: list[Tensor]) -> list[Tensor]:
        """Norm the maps [(B, h, w, c), …]."""
        return [norm(each) for norm, each in zip(self.norms, maps, strict=True)]

    def compute_output_shape(self, input_shape: list[Shape]) -> list[Shape]:
        """Return the shapes, which stay as they are."""
        return [tuple(shape) for shape in input_shape]

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}
