"""Teach the masks which blocks are hard to predict."""

from keras_simmim.masking import MaskGenerator
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective, same_for_all


class Ranking(Objective):
    """Measure how well a learned mask ranks hidden blocks by the loss that they turned out to have.

    A statistic of the batch: pairs of blocks count alike, whichever image they are of.

    Args:
        mask_generator: the model's, with a ranking loss.

    Source: Wang et al., "Hard Patches Mining for Masked Image Modeling", CVPR 2023, section 3.3.
    """

    name = "ranking"
    is_batch_statistic = True

    def __init__(self, mask_generator: MaskGenerator) -> None:
        super().__init__()
        self.mask_generator = mask_generator

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the ranks that the masks gave to what they hid."""
        loss = self.mask_generator.ranking_loss(
            masked_pass.masked, masked_pass.pixels, masked_pass.prediction, masked_pass.hidden
        )
        return {"ranking_loss": same_for_all(loss, masked_pass)}
