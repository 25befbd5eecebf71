"""A weighted sum of what several blocks give."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.linear import Linear


@keras.saving.register_keras_serializable("keras_simmim")
class BlockFusion(keras.layers.Layer):
    """Add linear projections of shallow blocks' outputs to the last block's output.

    The softmax of one learned number for each of them weighs the sum. Reconstructing pixels then
    need not carry low-level detail through all blocks.

    Args:
        num_blocks: number n of shallow blocks, 1 at least.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a number that is not a positive integer.

    Source: Liu et al., "Improving Pixel-based MIM by Reducing Wasted Modeling Capability", ICCV
    2023, and its official code in MMPretrain, `MFFViT`.

    Example:
    ```python
    import keras
    from keras_simmim.backbones.block_fusion import BlockFusion

    shallow, last = keras.random.normal((2, 4, 6, 16))
    BlockFusion(num_blocks=1)([shallow, last]).shape   # (4, 6, 16)
    ```
    """

    def __init__(self, num_blocks: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_blocks, int) or num_blocks < 1:
            raise ValueError(f"num_blocks must be a positive integer, got {num_blocks!r}.")
        self.num_blocks = num_blocks

    def build(self, input_shape: list[Shape]) -> None:
        """Create the projections and weights for a list of tokens of shape (B, N, D)."""
        width = input_shape[-1][-1]
        self.projections = [
            Linear(
                width,
                kernel_initializer=TruncatedNormal(),
                name=f"projection_{index}",
                dtype=self.dtype_policy,
            )
            for index in range(self.num_blocks)
        ]
        for projection in self.projections:
            projection.build((None, width))
        self.block_weights = self.add_weight(
            shape=(self.num_blocks + 1,), initializer="ones", name="block_weights"
        )

    def call(self, outputs: list[Tensor]) -> Tensor:
        """Fuse n + 1 tensors (B, N, D), those of shallow blocks and then the last: (B, N, D)."""
        *shallow, last = outputs
        width = last.shape[-1]
        weights = ops.softmax(ops.cast(self.block_weights, "float32"))
        weights = ops.cast(weights, last.dtype)
        fused = weights[-1] * last
        for index, (projection, tokens) in enumerate(zip(self.projections, shallow, strict=True)):
            projected = projection(ops.reshape(tokens, (-1, width)))
            fused = fused + weights[index] * ops.reshape(projected, (-1, *last.shape[1:]))
        return fused

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Return the shape of the last input."""
        return input_shape[-1]

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_blocks": self.num_blocks}
