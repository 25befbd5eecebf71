"""Teach the masks which blocks are hard to predict."""

from keras import ops

from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective
from keras_simmim.objectives.parts import Parts


class Ranking(Objective):
    """Measure how well a learned mask ranks hidden blocks by the loss that they turned out to have.

    A statistic of the batch: pairs of blocks count alike, whichever image they are of.

    Args:
        taught: the objective that predicts the blocks.

    Source: Wang et al., "Hard Patches Mining for Masked Image Modeling", CVPR 2023, section 3.3.
    """

    name = "ranking"
    is_batch_statistic = True
    needs_prediction = True

    def __init__(self, taught: Objective) -> None:
        super().__init__()
        self.taught = taught

    def prepare(self, parts: Parts) -> None:
        """Take the masks, whose draw has a ranking loss."""
        self.mask_generator = parts.mask_generator

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the ranks that the masks gave to what they hid."""
        errors = self.taught.block_errors(masked_pass)
        generator = self.mask_generator
        sums, pairs = generator.ranking_losses(masked_pass.masked, errors, masked_pass.hidden)
        total = ops.sum(pairs) + 1e-5
        return {"ranking_loss": Measure(ops.divide_no_nan(sums, pairs), pairs, total)}
