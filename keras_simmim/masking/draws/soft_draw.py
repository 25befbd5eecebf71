"""The article's learned mask, kept within its bounds: every block is dimmed."""

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking.blocks import split_blocks
from keras_simmim.masking.draws.draw import Draw
from keras_simmim.masking.plan import Plan, ValidBlocks


@keras.saving.register_keras_serializable("keras_simmim")
class SoftDraw(Draw):
    """Dim each block by a learned share between 0 and 1, σ(score(x)).

    The score is a linear layer on the block's mean, through which the gradient flows. With a
    reconstruction loss the best mask would be none at all, so labels alone may teach it.

    Source: the sample network of "Self-supervised Modeling with Multi-modal Iterative Masking",
    whose linear mask has no bounds.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    draw, modalities = ks.masking.SoftDraw(), [ks.masking.Spatial()]
    masking = ks.masking.MaskGenerator(modalities, draw, ratio=None, block_size=2)
    views, hidden = masking(ops.ones((8, 12, 12, 64)))
    hidden.shape   # (8, 1, 6, 6, 1), numbers between 0 and 1
    ```
    """

    is_soft = True
    passes_gradient = True
    needs_labels = True

    def __init__(self) -> None:
        self.scorer = keras.layers.Dense(1, dtype="float32", name="scorer")

    def build(self, grid: tuple[int, int], channels: int) -> None:
        """Create the scorer's weights for maps of h×w blocks and C channels."""
        if not self.scorer.built:
            self.scorer.build((None, *grid, channels))

    def hidden(
        self,
        tensor: Tensor,
        step: Tensor | int,
        grid: tuple[int, int],
        plan: Plan,
        valid: ValidBlocks | None = None,
    ) -> Tensor:
        """Measure how much of each block is hidden: float32 (B, 1, h, w, 1) between 0 and 1."""
        blocks = ops.cast(split_blocks(tensor, grid), "float32")
        hidden = ops.sigmoid(self.scorer(ops.mean(blocks, axis=(3, 5))))
        if valid is None:
            return hidden
        return hidden * ops.reshape(valid.valid, (-1, 1, *grid, 1))
