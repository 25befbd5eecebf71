"""Learned masking: hides the blocks that it has learned to be hard to predict."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.masking.block_scores import block_statistics
from keras_simmim.masking.spatial_masking import SpatialMasking


@keras.saving.register_keras_serializable("keras_simmim")
class LearnedMasking(SpatialMasking):
    """Hides whole blocks, more and more those whose content was hard to predict so far.

    A linear layer scores each block from the mean and deviation of its features, through which
    no gradient flows back. The ⌈ratio·N⌉ blocks with the largest sharpness·score + noise are
    hidden, scores standardised within an image: the mask can be neither empty nor full, and no
    block is sure to be hidden. The sharpness ramps from 0 (random masks, which evaluation keeps)
    to its full value. The standardised scores learn to rank hidden blocks by the reconstruction
    loss that they turn out to have.

    Args:
        ratio: share of the blocks to hide, 0 < ratio < 1; exactly ⌈ratio·N⌉ of N blocks.
        block_size: side of a block in positions of the tensor to mask, or (height, width).
        adversarial: instead of ranking, let the gradient of the loss reach the scores reversed,
            through a straight-through estimate of the mask.
        sharpness: weight of a standard deviation of scores against the Gumbel noise, above 0.
        ramp_steps: training steps until the sharpness is reached, at least 1.
        seed: 0 ≤ seed < 2³¹; the noise is a function of (seed, step, image, block).
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range.

    Source: Wang et al., "Hard Patches Mining for Masked Image Modeling", CVPR 2023, sections 3.3
    and 3.4; Kool et al., "Stochastic Beams and Where to Find Them", ICML 2019, for top-k with
    Gumbel noise.

    Example:
    ```python
    masking = LearnedMasking(ratio=0.6, block_size=2, ramp_steps=1000)
    views, hidden = masking(keras.random.normal((8, 12, 12, 64)), step=3)
    float(ops.sum(hidden)) / 8   # 22.0 of 36 blocks of each image
    ```
    """

    modality = "learned"

    def __init__(
        self,
        ratio: float = 0.6,
        block_size: int | tuple[int, int] = 4,
        adversarial: bool = False,
        sharpness: float = 2.0,
        ramp_steps: int = 1000,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(ratio, block_size, seed, **kwargs)
        if not isinstance(sharpness, int | float) or not 0 < sharpness < float("inf"):
            raise ValueError(f"sharpness must be a number above 0, got {sharpness!r}.")
        if not isinstance(ramp_steps, int) or ramp_steps < 1:
            raise ValueError(f"ramp_steps must be an integer of at least 1, got {ramp_steps!r}.")
        self.adversarial = adversarial
        self.sharpness = float(sharpness)
        self.ramp_steps = ramp_steps
        # Half precision would tie scores that differ.
        self.scorer = keras.layers.Dense(1, use_bias=False, dtype="float32", name="scorer")

    @property
    def has_ranking_loss(self) -> bool:  # type: ignore[override]
        """Whether the scores learn by ranking."""
        return not self.adversarial

    def build(self, input_shape: Shape) -> None:
        """Fix the grid and create the scoring layer."""
        super().build(input_shape)
        self.scorer.build((None, *self.grid, 2 * input_shape[-1]))

    def scores(self, tensor: Tensor) -> Tensor:
        """How hard each block is taken to be: float32 (B, N), of any scale."""
        statistics = ops.stop_gradient(block_statistics(self._split(tensor)))
        return ops.reshape(self.scorer(statistics), (-1, self.grid[0] * self.grid[1]))

    def standard_scores(self, tensor: Tensor) -> Tensor:
        """The scores with mean 0 and deviation 1 within each image: float32 (B, N)."""
        scores = self.scores(tensor)
        centred = scores - ops.mean(scores, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        return centred / ops.sqrt(variance + 1e-12)

    def rank_blocks(self, tensor: Tensor, step: Tensor | int) -> Tensor:
        """Order blocks by sharpness·score + noise, the largest first: int32 (B, N)."""
        standard = ops.stop_gradient(self.standard_scores(tensor))
        ramp = ops.clip(ops.cast(step, "float32") / self.ramp_steps, 0, 1)
        uniform = random_uniform(self.seed, step, ops.shape(tensor)[0], standard.shape[-1])
        keys = self.sharpness * ramp * standard - ops.log(-ops.log(uniform))
        return ops.cast(ops.argsort(ops.argsort(-keys, axis=-1), axis=-1), "int32")

    def draw(self, tensor: Tensor, step: Tensor | int) -> Tensor:
        """Draw what to hide; its gradient reaches the scores reversed where adversarial."""
        hidden = super().draw(tensor, step)
        if not self.adversarial:
            return hidden
        chance = ops.reshape(ops.sigmoid(self.standard_scores(tensor)), (-1, 1, *self.grid, 1))
        # The value is that of `hidden`; visible blocks, whose pixels nobody predicts, stay out.
        return hidden * (1 + (ops.stop_gradient(chance) - chance))

    def ranking_loss(
        self, tensor: Tensor, target: Tensor, prediction: Tensor, hidden: Tensor
    ) -> Tensor:
        """Mean of −log σ(sᵢ − sⱼ) over pairs of hidden blocks of which i had the larger loss.

        The scores are the standardised ones: free to grow, they would overstate an order that
        changes as the network learns.
        """
        errors = self.block_errors(self._split(prediction) - self._split(target))
        errors, mask = (
            ops.reshape(ops.stop_gradient(values), (-1, self.grid[0] * self.grid[1]))
            for values in (errors, hidden)
        )
        scores = self.standard_scores(tensor)
        difference = scores[:, :, None] - scores[:, None, :]
        harder = ops.cast(errors[:, :, None] > errors[:, None, :], "float32")
        pairs = harder * mask[:, :, None] * mask[:, None, :]
        return ops.sum(pairs * ops.softplus(-difference)) / (ops.sum(pairs) + 1e-5)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "adversarial": self.adversarial,
            "sharpness": self.sharpness,
            "ramp_steps": self.ramp_steps,
        }
