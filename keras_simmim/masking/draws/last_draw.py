"""The last item of a share of the sequences, and blocks at random of the others."""

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.masking.draws.random_draw import RandomDraw
from keras_simmim.masking.plan import Plan, ValidBlocks

# Keeps these draws apart from the blocks', which hash the same words.
_SALT = 0x4C617374


@keras.saving.register_keras_serializable("keras_simmim")
class LastDraw(RandomDraw):
    """Hide the last block alone of a share of the sequences: what a recommender is asked for.

    The others lose blocks at random, as by `RandomDraw`.

    Args:
        share: of the sequences, from 0 to 1.
        seed: 0 ≤ seed < 2³¹.

    Raises:
        ValueError: for a share or a seed out of range.

    Source: Sun et al., "BERT4Rec", CIKM 2019, section 3.6: samples that mask the last item.

    Example:
    ```python
    from keras import ops
    import keras_simmim as ks

    modalities = [ks.masking.Spatial()]
    masking = ks.masking.MaskGenerator(modalities, ks.masking.LastDraw(1.0), 0.5, block_size=1)
    _, hidden = masking(ops.ones((1, 4, 8)))
    ops.convert_to_numpy(hidden).ravel().tolist()   # [0.0, 0.0, 0.0, 1.0]
    ```
    """

    def __init__(self, share: float = 0.2, seed: int = 0) -> None:
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"share must be a number from 0 to 1, got {share!r}.")
        super().__init__(seed)
        self.share = float(share)

    def hidden(
        self,
        tensor: Tensor,
        step: Tensor | int,
        grid: tuple[int, int],
        plan: Plan,
        valid: ValidBlocks | None = None,
    ) -> Tensor:
        """Draw what to hide; the first modality alone loses a last block."""
        hidden = super().hidden(tensor, step, grid, plan, valid)
        modalities = hidden.shape[-1]
        blocks = grid[0] * grid[1]
        counted = ops.ones_like(hidden[:, 0, :, :, 0]) if valid is None else valid.valid
        counted = ops.reshape(counted, (-1, blocks))
        numbers = ops.arange(1, blocks + 1, dtype="float32") * counted
        is_last = (numbers >= ops.max(numbers, axis=-1, keepdims=True)) & (numbers > 0)
        last = ops.reshape(ops.cast(is_last, "float32"), (-1, 1, *grid, 1))
        first = ops.cast(ops.arange(modalities, dtype="int32") == 0, "float32")
        last = ops.broadcast_to(last * first, ops.shape(hidden))
        drawn = random_uniform(self.seed ^ _SALT, step, ops.shape(hidden)[0], 1)
        chosen = ops.reshape(drawn < self.share, (-1, 1, 1, 1, 1))
        return ops.where(chosen, last, hidden)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"share": self.share, **super().get_config()}
