"""Patch merging: four neighbors become one position of twice the width."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm


@keras.saving.register_keras_serializable("keras_simmim")
class PatchMerging(keras.layers.Layer):
    """Join every 2×2 positions, (B, h, w, D) → (B, ⌈h/2⌉, ⌈w/2⌉, 2·D).

    The four come in the order (0,0), (1,0), (0,1), (1,1); odd maps are padded with zeros.

    Args:
        epsilon: of the layer norm.
        **kwargs: passed to `keras.layers.Layer`.

    Source: Liu et al., "Swin Transformer", ICCV 2021, section 3.1.

    Example:
    ```python
    import keras
    from keras_simmim.backbones.patch_merging import PatchMerging

    PatchMerging()(keras.random.normal((8, 14, 14, 96))).shape   # (8, 7, 7, 192)
    ```
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        """Create the weights for maps of shape (B, h, w, D)."""
        dim = input_shape[-1]
        self.norm = LayerNorm(epsilon=self.epsilon, name="norm", dtype=self.dtype_policy)
        self.norm.build((None, 4 * dim))
        self.reduction = keras.layers.Dense(
            2 * dim,
            use_bias=False,
            kernel_initializer=TruncatedNormal(cutoff=100),
            name="reduction",
            dtype=self.dtype_policy,
        )
        self.reduction.build((None, 4 * dim))

    def call(self, maps: Tensor) -> Tensor:
        """Join neighbors: (B, h, w, D) → (B, ⌈h/2⌉, ⌈w/2⌉, 2·D)."""
        _, height, width, dim = maps.shape
        if height % 2 or width % 2:
            maps = ops.pad(maps, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        rows, columns = (height + 1) // 2, (width + 1) // 2
        quads = ops.reshape(maps, (-1, rows, 2, columns, 2, dim))
        quads = ops.reshape(ops.transpose(quads, (0, 1, 3, 4, 2, 5)), (-1, 4 * dim))
        return ops.reshape(self.reduction(self.norm(quads)), (-1, rows, columns, 2 * dim))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, ⌈h/2⌉, ⌈w/2⌉, 2·D)."""
        batch, height, width, dim = input_shape
        return (batch, (height + 1) // 2, (width + 1) // 2, 2 * dim)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}
