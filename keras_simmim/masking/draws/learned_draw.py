"""Blocks that were hard to predict so far."""

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.masking.blocks import split_blocks
from keras_simmim.masking.draws.block_statistics import block_statistics
from keras_simmim.masking.draws.draw import Draw, check_seed
from keras_simmim.masking.plan import Plan, ValidBlocks


@keras.saving.register_keras_serializable("keras_simmim")
class LearnedDraw(Draw):
    """Hide, more and more, the blocks whose content was hard to predict so far.

    A linear layer scores each block from the mean and deviation of its features, through which
    no gradient flows back. The blocks with the largest sharpness·score + noise are hidden, scores
    standardized within an image: no block is sure to be hidden. The sharpness ramps from 0 (random
    masks, which evaluation keeps) to its full value. The standardized scores learn to rank hidden
    blocks by the reconstruction loss that they turn out to have.

    Args:
        seed: 0 ≤ seed < 2³¹; the noise is a function of (seed, step, image, block).
        adversarial: instead of ranking, let the gradient of the loss reach the scores reversed,
            through a straight-through estimate of the mask.
        sharpness: weight of a standard deviation of scores against the Gumbel noise, above 0.
        ramp_steps: training steps until the sharpness is reached, at least 1.

    Raises:
        ValueError: for arguments out of range.

    Source: Wang et al., "Hard Patches Mining for Masked Image Modeling", CVPR 2023, sections 3.3
    and 3.4; Kool et al., "Stochastic Beams and Where to Find Them", ICML 2019, for top-k with
    Gumbel noise.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    draw = ks.masking.LearnedDraw(ramp_steps=100)
    masking = ks.masking.MaskGenerator([ks.masking.Color("chroma")], draw, 0.5, block_size=2)
    views, hidden = masking(keras.random.normal((8, 12, 12, 64)), step=3)
    draw.scorer.kernel.shape   # (128, 1): the means and deviations of 64 channels
    ```
    """

    def __init__(
        self,
        seed: int = 0,
        adversarial: bool = False,
        sharpness: float = 2.0,
        ramp_steps: int = 1000,
    ) -> None:
        if not isinstance(sharpness, int | float) or not 0 < sharpness < float("inf"):
            raise ValueError(f"sharpness must be a number above 0, got {sharpness!r}.")
        if not isinstance(ramp_steps, int) or ramp_steps < 1:
            raise ValueError(f"ramp_steps must be an integer of at least 1, got {ramp_steps!r}.")
        self.seed = check_seed(seed)
        self.adversarial = adversarial
        self.sharpness = float(sharpness)
        self.ramp_steps = ramp_steps
        self.passes_gradient = adversarial
        self.has_ranking_loss = not adversarial
        # Half precision would tie scores that differ.
        self.scorer = keras.layers.Dense(1, use_bias=False, dtype="float32", name="scorer")

    def build(self, grid: tuple[int, int], channels: int) -> None:
        """Create the scorer's weights for maps of h×w blocks and C channels."""
        if not self.scorer.built:
            self.scorer.build((None, *grid, 2 * channels))

    def scores(self, tensor: Tensor, grid: tuple[int, int]) -> Tensor:
        """Score how hard each block of (B, H, W, C) is taken to be: float32 (B, N), any scale."""
        statistics = ops.stop_gradient(block_statistics(split_blocks(tensor, grid)))
        return ops.reshape(self.scorer(statistics), (-1, grid[0] * grid[1]))

    def standard_scores(self, tensor: Tensor, grid: tuple[int, int]) -> Tensor:
        """Bring the scores to mean 0 and deviation 1 within each image: float32 (B, N)."""
        scores = self.scores(tensor, grid)
        centered = scores - ops.mean(scores, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centered), axis=-1, keepdims=True)
        return centered / ops.sqrt(variance + 1e-12)

    def rank_blocks(self, tensor: Tensor, step: Tensor | int, grid: tuple[int, int]) -> Tensor:
        """Order blocks by sharpness·score + noise, the largest first: int32 (B, N)."""
        standard = ops.stop_gradient(self.standard_scores(tensor, grid))
        ramp = ops.clip(ops.cast(step, "float32") / self.ramp_steps, 0, 1)
        uniform = random_uniform(self.seed, step, ops.shape(tensor)[0], standard.shape[-1])
        keys = self.sharpness * ramp * standard - ops.log(-ops.log(uniform))
        return ops.cast(ops.argsort(ops.argsort(-keys, axis=-1), axis=-1), "int32")

    def hidden(
        self,
        tensor: Tensor,
        step: Tensor | int,
        grid: tuple[int, int],
        plan: Plan,
        valid: ValidBlocks | None = None,
    ) -> Tensor:
        """Draw what to hide; its gradient reaches the scores reversed where adversarial."""
        hidden = super().hidden(tensor, step, grid, plan, valid)
        if not self.adversarial:
            return hidden
        scores = self.standard_scores(tensor, grid)
        chance = ops.reshape(ops.sigmoid(scores), (-1, 1, *grid, 1))
        # The value is that of `hidden`; visible blocks, whose pixels nobody predicts, stay out.
        return hidden * (1 + (ops.stop_gradient(chance) - chance))

    def ranking_losses(
        self, tensor: Tensor, errors: Tensor, hidden: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Sum −log σ(sᵢ − sⱼ) over pairs of hidden blocks of which i had the larger loss.

        Blocks are compared within a view and a modality. The scores are the standardized ones:
        free to grow, they would overstate an order that changes as the network learns.

        Args:
            tensor: what was masked, (B, H, W, C).
            errors: how wrong the prediction of each block is, (B, V, h, w, M).
            hidden: (B, V, h, w, M), from `hidden`.
            grid: numbers h, w of blocks.

        Returns:
            float32 (B,), the sum of each image, and (B,), its number of pairs.
        """
        _, views, _, _, modalities = hidden.shape
        shape = (-1, views * modalities, grid[0] * grid[1])
        errors, mask = (
            ops.reshape(ops.transpose(ops.stop_gradient(values), (0, 1, 4, 2, 3)), shape)
            for values in (errors, hidden)
        )
        scores = ops.expand_dims(self.standard_scores(tensor, grid), 1)
        difference = scores[..., :, None] - scores[..., None, :]
        harder = ops.cast(errors[..., :, None] > errors[..., None, :], "float32")
        pairs = harder * mask[..., :, None] * mask[..., None, :]
        axes = (1, 2, 3)
        return ops.sum(pairs * ops.softplus(-difference), axes), ops.sum(pairs, axes)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            "seed": self.seed,
            "adversarial": self.adversarial,
            "sharpness": self.sharpness,
            "ramp_steps": self.ramp_steps,
        }
