"""What a batch measured: the losses, and what metrics compare."""

from typing import NamedTuple

from keras_simmim.backend.types import Tensor


class Measured(NamedTuple):
    """Hold what `compute_losses` gives, all of it by name.

    Args:
        losses: scalars, each with what it counts in the mean over batches. "loss" is the one
            that is differentiated.
        outputs: what the model predicts, of any shape, such as "probabilities".
        targets: what each output is compared with.
        weights: what each target counts, (B,) or of more of the target's axes, as Keras has it.
    """

    losses: dict[str, tuple[Tensor, Tensor]]
    outputs: dict[str, Tensor]
    targets: dict[str, Tensor]
    weights: dict[str, Tensor]
