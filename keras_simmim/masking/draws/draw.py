"""The contract of every draw: which blocks of which image are hidden."""

from typing import Any

from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.masking.plan import Plan, ValidBlocks


class Draw:
    """Put the blocks of every image in the order in which they are hidden.

    A draw is no layer, but may have one that scores blocks, its `scorer`: the `MaskGenerator` that
    uses the draw owns and saves it. Generators that share a draw share its scorer.

    Subclasses give the order, by `rank_blocks`, or, where `is_soft`, the whole of `hidden`. They
    are registered with Keras, and `get_config` gives their arguments.

    Example:
    ```python
    import keras
    from keras import ops
    import keras_simmim as ks


    @keras.saving.register_keras_serializable("examples")
    class FirstBlocks(ks.masking.Draw):
        def rank_blocks(self, tensor, step, grid):
            ranks = ops.reshape(ops.arange(grid[0] * grid[1], dtype="int32"), (1, -1))
            return ops.repeat(ranks, tensor.shape[0], axis=0)


    masking = ks.masking.MaskGenerator([ks.masking.Spatial()], FirstBlocks(), 0.5, 2)
    _, hidden = masking(ops.ones((1, 4, 4, 3)))
    ops.convert_to_numpy(hidden).ravel().tolist()   # [1.0, 1.0, 0.0, 0.0]
    ```
    """

    # A layer with weights, or None.
    scorer: Any = None
    # Whether every block loses a share of itself, instead of some blocks losing all there is to
    # lose. Such a draw takes no ratio.
    is_soft: bool = False
    # Whether a gradient reaches the scorer through what is hidden.
    passes_gradient: bool = False
    # Whether only labels may teach the network behind these masks.
    needs_labels: bool = False
    # Whether there is a loss of its own, that teaches the scorer.
    has_ranking_loss: bool = False

    def build(self, grid: tuple[int, int], channels: int) -> None:
        """Create the scorer's weights for maps of h×w blocks and C channels."""

    def rank_blocks(self, tensor: Tensor, step: Tensor | int, grid: tuple[int, int]) -> Tensor:
        """Put the blocks of each image in an order.

        Args:
            tensor: what is masked, (B, H, W, C).
            step: int32 scalar that a random order is drawn from.
            grid: numbers h, w of blocks.

        Returns:
            int32 (B, N), a permutation of 0 … N−1 for each image; the lowest ranks are hidden.
        """
        raise NotImplementedError

    def hidden(
        self,
        tensor: Tensor,
        step: Tensor | int,
        grid: tuple[int, int],
        plan: Plan,
        valid: ValidBlocks | None = None,
    ) -> Tensor:
        """Draw what to hide of a batch.

        Args:
            tensor: what is masked, (B, H, W, C).
            step: int32 scalar that a random order is drawn from.
            grid: numbers h, w of blocks.
            plan: how many blocks lose what.
            valid: which blocks are no padding, and how many of so many lose what; None for all.

        Returns:
            float32 (B, V, h, w, M), 1 where modality m hides a block.
        """
        if valid is not None:
            return self._hidden_of_valid(self.rank_blocks(tensor, step, grid), grid, valid)
        ranks = ops.expand_dims(self.rank_blocks(tensor, step, grid), -1)
        beyond = ops.cast(ranks >= ops.convert_to_tensor(plan.boundaries, dtype="int32"), "int32")
        table = ops.convert_to_tensor(plan.table, dtype="float32")
        hidden = ops.take(table, ops.sum(beyond, axis=-1), axis=0)
        hidden = ops.reshape(hidden, (-1, *grid, *table.shape[1:]))
        return ops.transpose(hidden, (0, 3, 1, 2, 4))

    def _hidden_of_valid(self, ranks: Tensor, grid: tuple[int, int], valid: ValidBlocks) -> Tensor:
        """Hide blocks that are no padding, by the plan of as many as there are."""
        blocks = grid[0] * grid[1]
        last = ops.cast(valid.valid < 0.5, "int32") * blocks
        ranks = ops.cast(ops.argsort(ops.argsort(ranks + last, axis=-1), axis=-1), "int32")
        counts = ops.cast(ops.sum(valid.valid, axis=-1, keepdims=True), "int32")
        losses = ops.convert_to_tensor(valid.losses.reshape(-1, *valid.losses.shape[2:]))
        hidden = ops.take(losses, counts * blocks + ranks, axis=0)
        hidden = ops.cast(ops.reshape(hidden, (-1, *grid, *losses.shape[1:])), "float32")
        return ops.transpose(hidden, (0, 3, 1, 2, 4))

    def ranking_losses(
        self, tensor: Tensor, errors: Tensor, hidden: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Measure how well the scorer ranked pairs of blocks, where `has_ranking_loss`.

        Args:
            tensor: what was masked, (B, H, W, C).
            errors: how wrong the prediction of each block is, (B, V, h, w, M).
            hidden: (B, V, h, w, M), from `hidden`.
            grid: numbers h, w of blocks.

        Returns:
            float32 (B,), the sum over the pairs of each image, and (B,), their number.
        """
        raise NotImplementedError

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: Config) -> "Draw":
        """Make a draw of this configuration, with new weights."""
        return cls(**config)


def check_seed(seed: Any) -> int:
    """Return the seed, or raise ValueError unless it is an integer with 0 ≤ seed < 2³¹."""
    if not isinstance(seed, int) or not 0 <= seed < 1 << 31:
        raise ValueError(f"seed must be an integer with 0 <= seed < 2**31, got {seed!r}.")
    return seed
